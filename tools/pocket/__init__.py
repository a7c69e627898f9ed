"""How the pocket model is made from this repository alone: vocabulary, practice worlds, network, training, export."""
