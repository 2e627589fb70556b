"""The web application: a page and a REST API over the same classifier as the command line.

`app` puts it together: `settings` say how, `guard` looks at every request before anything else
does, `routes` answer, `uploads` take files in, `workers` decode and classify them in processes that
can be killed, `pictures` are spectrograms to draw, `problems` word what went wrong, `metrics`
count, `logs` write it down. The page lies in `static`.
"""
