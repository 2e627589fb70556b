"""Train a model: teachers, network, training loop, export.

`recipe` reads top to bottom and calls the rest: `teacher` and `yamnet` say what to learn, `targets`
puts both into one space, `examples` caches inputs and targets, `sampler`, `augment`, `net` and
`trainer` are the training loop, `head` and `tags` the last layers, and `export` writes the file.
"""
