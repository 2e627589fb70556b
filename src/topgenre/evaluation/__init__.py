"""Measure a model on labelled music; needs ONNX Runtime only."""
