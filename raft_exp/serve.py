"""`python -m raft_exp.serve RUN`: serves a finished run on an OpenAI-compatible endpoint, with a web page."""

if __name__ == "__main__":
    from raft_exp.core.processes import stoppable

    with stoppable():
        from raft_exp.apps.serve.main import main

        main()
