"""Teach the model a user's own genres, from embeddings of tagged songs."""
