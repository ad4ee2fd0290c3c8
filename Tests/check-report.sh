#!/bin/sh
# Opens a report in headless Chromium; fails on console messages, on empty plots and on anything fetched from outside.
#
#   Tests/check-report.sh REPORT.html [SCREENSHOT_FOLDER]
#
# With a folder, also takes three pictures of the page: light, dark, and as wide as a phone.
# Exit codes: 0 the page is in order, 1 it is not, 2 wrong usage, 3 there is no Chromium.
set -u

report=${1:-}
pictures=${2:-}
if [ ! -f "$report" ]; then
  echo "check-report: no such file: '$report' (usage: check-report.sh REPORT.html [SCREENSHOT_FOLDER])" >&2
  exit 2
fi
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then browser=$name; break; fi
done
if [ -z "${browser:-}" ]; then
  echo "check-report: Chromium is missing (Debian: apt-get install chromium); the page was not checked" >&2
  exit 3
fi

folder=$(cd "$(dirname "$report")" && pwd)
address="file://$folder/$(basename "$report")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sandbox=
[ "$(id -u)" = 0 ] && sandbox=--no-sandbox

open_page() {
  timeout 60 "$browser" --headless=new $sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --user-data-dir="$scratch/profile" "$@" "$address"
}

# The page must not want anything from elsewhere: without a network nothing else would notice.
status=0
if grep -noE '(src|href)="?(https?:)?//[^"]*\.(js|css|png|svg|woff2?)|<script|@import|url\((https?:)?//' "$report"; then
  echo "check-report: the page is not self-contained" >&2
  status=1
fi

open_page --enable-logging=stderr --v=0 --virtual-time-budget=3000 --dump-dom >"$scratch/page" 2>"$scratch/log"
if ! grep -q '</html>' "$scratch/page"; then
  echo "check-report: the page did not open" >&2
  tail -n 5 "$scratch/log" >&2
  exit 1
fi
if grep ':CONSOLE' "$scratch/log" >&2; then
  echo "check-report: the page wrote to the console" >&2
  status=1
fi

# A plot has a frame of two lines at the least; without data it has no more than its axes.
awk '
  BEGIN { RS = "<svg" }
  NR > 1 {
    sub(/<\/svg>.*/, "")
    plots += 1
    marks = gsub(/<g id="p[0-9]+-plot_/, "&")
    drawn = 0
    rest = $0
    while ((at = index(rest, "-plot_")) > 0) {
      rest = substr(rest, at + 6)
      group = rest
      if ((next_at = index(rest, "-plot_")) > 0) group = substr(rest, 1, next_at)
      if (group ~ /<path|<use|<image|<polygon|<circle/) drawn += 1
    }
    if (drawn == 0) { empty += 1; print "check-report: plot " plots " is empty" > "/dev/stderr" }
  }
  END {
    print "check-report: " plots + 0 " plots, " empty + 0 " empty"
    exit empty > 0
  }
' "$scratch/page" || status=1

if [ -n "$pictures" ]; then
  mkdir -p "$pictures"
  open_page --window-size=1240,2400 --screenshot="$pictures/light.png" >/dev/null 2>&1 || status=1
  open_page --window-size=1240,2400 --force-dark-mode --screenshot="$pictures/dark.png" >/dev/null 2>&1 || status=1
  open_page --window-size=500,2400 --screenshot="$pictures/phone.png" >/dev/null 2>&1 || status=1
fi
exit $status
