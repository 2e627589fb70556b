"""Measure a model on labelled music, with ONNX Runtime alone: figures, robustness, retrieval."""
