"""Serve the web page and the REST API.

`app` assembles the application, `settings` configures it, `server` runs it. A request passes
`connection` (limits before authentication), `middleware` and one of the `routes`. `uploads`
receives its file, `queue` limits the files that wait, and `work` classifies one in a worker
process. `song` reads its tags, `pictures` makes spectrograms to draw, `library` shows the owner's
catalogue. `problems` defines the errors, `schemas` and `docs` the documentation, `metrics` the
counters, `logs` the log. The page is in `static`.
"""
