#!/bin/bash
# Start:   sbatch deploy/slurm.sh +experiment=pubmedqa store=/shared/store
# Run:     with stubs of sbatch and scontrol (tests/integration/test_deploy.py).
# Not run: a real SLURM.
#
# A study on one SLURM job of several nodes. The settings of the study follow the name of this script. srun starts
# the trainings on all nodes (trainer=srun). With spread=slurm spread.tasks=32 the study sends other stages as arrays.
# Work folder and store must be on a file system that all nodes share: docs/how-to/gpus-and-slurm.md.
#
#SBATCH --job-name=raft_exp
#SBATCH --nodes=2 --ntasks-per-node=8 --gres=gpu:8 --cpus-per-task=8
#SBATCH --time=24:00:00 --requeue --open-mode=append
#SBATCH --signal=B:USR1@300
trap 'kill -USR1 $!' USR1 # five minutes before the time limit: the training saves its state
python -m raft_exp trainer=srun "trainer.num_nodes=$SLURM_JOB_NUM_NODES" trainer.devices=8 "$@" &
study=$!
wait $study
status=$?
while [ $status -gt 128 ] && kill -0 $study 2>/dev/null; do # the signal interrupted `wait`
    wait $study
    status=$?
done
[ $status = 75 ] && scontrol requeue "$SLURM_JOB_ID" # the same command resumes the study
exit $status
