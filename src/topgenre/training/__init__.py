"""Train a model: teachers, network, training loop, export.

`recipe` reads top to bottom and calls the rest. `sounds` decodes the music, `sound` computes
spectrograms on any device, `teacher` and `yamnet` say what to learn, `targets` puts both into one
space, and `pool` keeps blocks of varied sound. `augment`, `net` and `trainer` are the training
loop. `examples` caches the blocks to which `head` and `tags` fit the last layers, and `export`
writes the file.
"""
