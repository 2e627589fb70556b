"""The web application: a page and a REST API over the same classifier as the command line.

`app` puts it together, `settings` configure it, `server` runs it. A request passes `connection`
(limits before anybody is known), `middleware` and one of the `routes`; `uploads` takes its file in,
`queue` counts the files that wait, and `work` is what a worker process does with one. `song` reads
its tags, `pictures` makes spectrograms to draw, `library` shows the owner's catalogue. `problems`
words errors, `schemas` and `docs` document, `metrics` counts, `logs` writes. The page lies in
`static`.
"""
