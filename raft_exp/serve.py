"""`python -m raft_exp.serve RUN`: a finished run behind an OpenAI-compatible endpoint, with a page."""

from raft_exp.apps.serve.main import main

if __name__ == "__main__":
    main()
