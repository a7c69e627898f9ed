from raft_exp.cli import main

main()
