import Mustache

/// The page's template, compiled once.
enum ReportTemplate {
  static let page = compiled(text)

  /// The template below is a part of the program; one that does not compile is a mistake in it.
  private static func compiled(_ text: String) -> MustacheTemplate {
    do { return try MustacheTemplate(string: text) } catch { preconditionFailure("the report's template: \(error)") }
  }

  private static let table = """
    <div class="scroll"><table>
    <thead><tr>{{#columns}}<th scope="col" class="{{class}}">{{text}}</th>{{/columns}}</tr></thead>
    <tbody>
    {{#rows}}
    <tr>{{#cells}}<td class="{{class}}">{{text}}</td>{{/cells}}</tr>
    {{/rows}}
    </tbody>
    </table></div>
    {{#caption}}<p class="caption">{{text}}</p>{{/caption}}
    """

  private static let block = """
    {{#text}}<p>{{text}}</p>{{/text}}
    {{#note}}<p class="note">{{text}}</p>{{/note}}
    {{#link}}<p class="source"><a href="{{address}}">{{text}}</a></p>{{/link}}
    {{#command}}<pre><code>{{text}}</code></pre>{{/command}}
    {{#facts}}<dl class="facts">{{#facts}}<div><dt>{{label}}</dt><dd>{{value}}</dd></div>{{/facts}}</dl>{{/facts}}
    {{#checks}}
    <table class="checks">
    <thead><tr><th scope="col">Check</th><th scope="col">Claimed</th><th scope="col">Measured</th>\
    <th scope="col">Bound</th><th scope="col">Verdict</th></tr></thead>
    <tbody>
    {{#checks}}
    <tr><th scope="row">{{name}}</th><td data-label="claimed">{{claimed}}</td>\
    <td data-label="measured">{{measured}}</td><td data-label="bound">{{bound}}</td>\
    <td class="verdict"><span class="{{class}}">{{symbol}} {{verdict}}</span></td></tr>
    {{/checks}}
    </tbody>
    </table>
    {{/checks}}
    {{#figures}}
    <div class="figures">
    {{#figures}}
    <figure>
    <h3>{{title}}</h3>
    {{#svg}}{{{svg}}}{{/svg}}
    {{#absent}}<p class="absent">{{text}}</p>{{/absent}}
    <figcaption>{{caption}}</figcaption>
    </figure>
    {{/figures}}
    </div>
    {{/figures}}
    {{#table}}
    {{#open}}
    <h3>{{title}}</h3>
    \(table)
    {{/open}}
    {{#folded}}
    <details><summary>{{title}} <span>{{count}}</span></summary>
    \(table)
    </details>
    {{/folded}}
    {{/table}}
    """

  private static let status = """
    {{#status}}<span class="status {{class}}">{{symbol}} {{text}}</span>{{/status}}
    """

  private static let text = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{{title}} – Apus</title>
    <style>
    {{{style}}}
    </style>
    </head>
    <body>
    <header>
    <p class="mark">Apus</p>
    <h1>{{title}}</h1>
    <p class="lead">{{subtitle}}</p>
    {{#verdict}}<p class="total {{class}}">{{symbol}} {{text}}</p>{{/verdict}}
    </header>
    {{#index}}
    <nav aria-label="Contents"><ol>
    {{#entries}}<li><a href="#{{id}}"><b>{{id}}</b> <span class="name">{{title}}</span></a> \(status)</li>
    {{/entries}}
    </ol></nav>
    {{/index}}
    <main>
    {{#sections}}
    <section id="{{id}}">
    <h2>{{title}}</h2>
    <p class="id"><code>{{id}}</code> \(status)</p>
    {{#blocks}}
    \(block)
    {{/blocks}}
    </section>
    {{/sections}}
    </main>
    <footer>
    <dl class="facts">{{#provenance}}<div><dt>{{label}}</dt><dd>{{value}}</dd></div>{{/provenance}}</dl>
    </footer>
    </body>
    </html>

    """
}
