"""`python -m raft_exp.serve RUN`: a finished run behind an OpenAI-compatible endpoint, with a page."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.serve.main import main

        main()
