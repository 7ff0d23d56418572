"""Decoders: features from samples, intent from features, and the learners that adapt them."""
