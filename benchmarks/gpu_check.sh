#!/usr/bin/env bash
# Everything that needs a graphics card, in order of importance: benchmarks/gpu_check.sh [FOLDER]
# Needs the Python packages of .[test] and .[cuda12] or .[cuda13], and compute-sanitizer of the CUDA toolkit.
#
# FOLDER (default results/gpu_check) receives a log of each step; the last lines name what failed. The exit status
# is the number of steps that failed. PYTHON, and LIMIT (seconds of a step, 240), can be set; CUDA_VISIBLE_DEVICES
# chooses the card. STEPS, if set, is a list of the steps to do: tests benchmark memcheck racecheck example decam;
# or cpu_runs, the half of the last two that needs no card and can be made before, elsewhere.
set -u
cd "$(dirname "$0")/.."
here=$PWD
folder=${1:-results/gpu_check}
python=${PYTHON:-python}
limit=${LIMIT:-240}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
export PYTHONPATH="$here/src:$here${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
failed=()

# step NAME COMMAND...: a log, a time, and a word at the end
step() {
    local name=$1 begin=$SECONDS
    shift
    [[ -z ${STEPS:-} || " $STEPS " == *" $name "* ]] || return 0
    if timeout "$limit" "$@" > "$folder/$name.log" 2>&1; then
        echo "$name: passed ($((SECONDS - begin)) s)"
    else
        echo "$name: FAILED with status $? ($((SECONDS - begin)) s), see $folder/$name.log"
        failed+=("$name")
    fi
}

# The tests of the kernel, on both backends.
tests() {
    "$python" -m pytest -q -n 0 tests/kernel/test_agreement.py tests/kernel/test_edges.py \
        tests/kernel/test_gradient.py tests/kernel/test_batches.py tests/kernel/gpu_only.py
}

sanitizer() {
    # --error-exitcode: without it the tool's own status is the program's. Errors of calls to the driver are not
    # listed: cuda-bindings asks an older driver for functions that it has not; others CuPy raises itself.
    local quiet=()
    [[ $1 == memcheck ]] && quiet=(--report-api-errors no)
    compute-sanitizer --tool "$1" "${quiet[@]}" --error-exitcode 9 "$python" benchmarks/gpu_small.py
}

# run OUTDIR KERNEL OPTIONS...: a configuration without pictures; what is there is not made again
run() {
    local outdir=$1 kernel=$2
    shift 2
    "$python" -m snakemake --cores all --nolock --rerun-triggers mtime "$@" --config kernel="$kernel" \
        outdir="$outdir" postprocess__plots=false postprocess__images=false postprocess__regions=false
}

# both_kernels NAME OPTIONS...: the CPU's run, a copy of it with all fits made again on the card, the comparison
both_kernels() {
    local name=$1
    shift
    run "$folder/$name-cpu" cpu "$@" || return 1
    rm -rf "$folder/$name-gpu"
    cp -a "$folder/$name-cpu" "$folder/$name-gpu"
    rm -rf "$folder/$name-gpu/work" # finished patches: they would be taken as they are
    run "$folder/$name-gpu" gpu "$@" --forcerun optimize || return 1
    "$python" benchmarks/compare_runs.py --kernels cpu gpu "$folder/$name-cpu" "$folder/$name-gpu"
}

# The CPU's half of the two runs; needs no card.
cpu_runs() {
    run "$folder/example-cpu" cpu && run "$folder/decam-cpu" cpu --configfile config/decam_testcase3.yaml
}
export -f tests sanitizer run both_kernels cpu_runs
export here folder python

nvidia-smi > "$folder/card.log" 2>&1
[[ -n ${STEPS:-} ]] && step cpu_runs bash -c cpu_runs
step tests bash -c tests
step benchmark "$python" benchmarks/kernel.py --backend gpu
step memcheck bash -c 'sanitizer memcheck'
step racecheck bash -c 'sanitizer racecheck'
step example bash -c 'both_kernels example'
step decam bash -c 'both_kernels decam --configfile config/decam_testcase3.yaml'
[[ -f $folder/benchmark.log ]] && tail -n 40 "$folder/benchmark.log"
[[ ${#failed[@]} -eq 0 ]] && echo "all steps passed" || echo "failed: ${failed[*]}"
exit "${#failed[@]}"
