/// The page's style sheet: system fonts, tabular numbers, two colour schemes, one column on a phone.
enum ReportStyle {
  static let text = """
    :root {
      color-scheme: light dark;
      --paper: #fff; --raised: #f6f7f9; --ink: #1b1f24; --quiet: #5b6570; --line: #e2e6ea; --grid: #d5d9de;
      --pass: #0f7b56; --fail: #b3261e; --accent: #0b63b0;
      --series-1: #0b63b0; --series-2: #c2410c; --series-3: #0f7b56; --series-4: #7b3fa0; --series-5: #a16207;
      --series-6: #be185d; --series-9: #5b6570;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #14171b; --raised: #1c2026; --ink: #e4e7eb; --quiet: #9aa4af; --line: #2b3139; --grid: #353b43;
        --pass: #4ade9f; --fail: #ff8a80; --accent: #6cb2f7;
        --series-1: #6cb2f7; --series-2: #fb923c; --series-3: #4ade9f; --series-4: #cf9bf0; --series-5: #facc15;
        --series-6: #f472b6; --series-9: #9aa4af;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
    body {
      margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
      font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
      font-variant-numeric: tabular-nums; overflow-wrap: break-word;
    }
    a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .2em; }
    code, pre { font-family: ui-monospace, "SF Mono", "Cascadia Code", "DejaVu Sans Mono", monospace; font-size: .875em; }
    h1, h2, h3 { line-height: 1.25; font-weight: 650; text-wrap: balance; }
    h1 { font-size: clamp(1.6rem, 1.2rem + 2vw, 2.3rem); margin: .2rem 0 .6rem; letter-spacing: -.015em; }
    h2 { font-size: 1.4rem; margin: 0; letter-spacing: -.01em; scroll-margin-top: 1rem; }
    h3 { font-size: 1rem; margin: 1.8rem 0 .5rem; }
    p { margin: .8rem 0; max-width: 46rem; }
    .mark { margin: 0; font-weight: 700; letter-spacing: .22em; text-transform: uppercase; font-size: .8rem;
      color: var(--accent); }
    .lead { font-size: 1.1rem; color: var(--quiet); margin-top: 0; }
    .total { display: inline-block; padding: .25rem .8rem; border: 1px solid currentColor; border-radius: 2rem;
      font-weight: 600; font-size: .95rem; }
    .pass { color: var(--pass); } .fail { color: var(--fail); }
    .lead:empty, figcaption:empty { display: none; }
    nav { margin: 2rem 0 0; border-top: 1px solid var(--line); }
    nav ol { list-style: none; margin: 0; padding: 0; }
    nav li { display: flex; gap: 1rem; justify-content: space-between; align-items: baseline; padding: .45rem 0;
      border-bottom: 1px solid var(--line); }
    nav a { color: inherit; text-decoration: none; } nav a:hover b { text-decoration: underline; }
    nav .name { color: var(--quiet); margin-left: .6rem; }
    .status { font-size: .875rem; font-weight: 600; white-space: nowrap; }
    section { margin-top: 3rem; padding-top: 2rem; border-top: 1px solid var(--line); }
    .id { display: flex; gap: 1rem; align-items: baseline; margin: .3rem 0 1rem; color: var(--quiet); }
    .id .pass { color: var(--pass); } .id .fail { color: var(--fail); }
    .id code:empty { display: none; }
    .source { color: var(--quiet); font-size: .9rem; }
    .note { padding: .6rem 1rem; border-left: 3px solid var(--series-5); background: var(--raised);
      border-radius: 0 .4rem .4rem 0; font-size: .95rem; }
    pre { margin: 1rem 0; padding: .8rem 1rem; background: var(--raised); border-radius: .4rem; overflow-x: auto; }
    .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .8rem 1.5rem;
      margin: 1.2rem 0; }
    .facts div { min-width: 0; } .facts dt { color: var(--quiet); font-size: .8rem; }
    .facts dd { margin: 0; font-weight: 550; }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; font-size: .92rem; line-height: 1.4; margin: .4rem 0; }
    th, td { padding: .4rem 1.4rem .4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
    thead th { color: var(--quiet); font-weight: 500; font-size: .8rem; white-space: nowrap; }
    th.number, td.number { text-align: right; white-space: nowrap; }
    .checks { width: 100%; margin: 1.2rem 0; }
    .checks th[scope=row] { font-weight: 500; width: 45%; }
    .checks td[data-label=bound] { white-space: nowrap; }
    .verdict { white-space: nowrap; font-weight: 600; }
    .caption, figcaption { color: var(--quiet); font-size: .9rem; margin: .4rem 0 0; max-width: 46rem; }
    .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 1.5rem 2.5rem;
      margin: 1.5rem 0; }
    figure { margin: 0; min-width: 0; max-width: 36rem; }
    figure h3 { margin: 0 0 .6rem; }
    figure svg { display: block; width: 100%; height: auto; color: var(--ink); }
    svg image { image-rendering: pixelated; }
    .absent { color: var(--quiet); border: 1px dashed var(--grid); border-radius: .4rem; padding: 2rem 1rem;
      text-align: center; }
    details { margin: 1.5rem 0; } summary { cursor: pointer; font-weight: 600; }
    summary span { color: var(--quiet); font-weight: 400; margin-left: .6rem; }
    footer { margin-top: 4rem; padding-top: .5rem; border-top: 1px solid var(--line); }
    footer dd { font-weight: 400; }
    @media (max-width: 40rem) {
      body { padding: 1.5rem 1rem 3rem; }
      nav .name { display: block; margin: 0; font-size: .9rem; }
      .checks thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      .checks, .checks tbody, .checks tr, .checks th, .checks td { display: block; width: auto; border: 0; padding: 0; }
      .checks tr { padding: .8rem 0; border-bottom: 1px solid var(--line); }
      .checks th[scope=row] { width: auto; margin-bottom: .2rem; }
      .checks td[data-label]::before { content: attr(data-label) " "; color: var(--quiet); display: inline-block;
        width: 6rem; }
    }
    @media print { section { break-inside: avoid-page; } body { max-width: none; } }
    """
}
