"""`python -m raft_exp.store ls|prune`: what the store holds, and room when it is full."""

from raft_exp.apps.prune import main

if __name__ == "__main__":
    main()
