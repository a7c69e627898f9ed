"""Makes the embedded model `pocket`: generates its training data, trains it, measures its skills and exports it.

The data are practice worlds: random small sets of documents and questions (`worlds.py`). The training needs no other
data and no other model.
"""
