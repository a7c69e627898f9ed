"""RAFT experiments: what do RAG, plain SFT and RAFT each buy on your documents, and is it real?"""

__version__ = "0.1.0"
