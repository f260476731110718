"""Numba's CUDA simulator with its threads in turn.

By itself it lets the threads of a block run at once and polls them all, which keeps a processor busy. Here a
thread runs to the next barrier or to its end, then the next one, in rounds forwards and backwards. What a
thread reads that another one writes, with no barrier between, is then missing in one of the two directions.
"""

import threading

from numba.cuda.simulator import kernel as simulator


def take_turns() -> None:
    """From now on, for all kernels of this process."""
    simulator.BlockThread.syncthreads = wait_for_turn
    simulator.BlockManager.run = run_in_turn


def wait_for_turn(thread) -> None:
    """A barrier: hands the turn back, and returns at the next one."""
    thread.waiting = True
    thread._manager.turn_over.release()
    thread.my_turn.acquire()
    thread.waiting = False
    if thread.abort:
        raise RuntimeError("another thread of the block failed")


def run_in_turn(manager, grid_point, *args) -> None:
    """All threads of one block."""
    manager.turn_over = threading.Semaphore(0)
    threads = [new_thread(manager, grid_point, point, args) for point in range(manager._block_dim[0])]
    for thread in threads:
        thread.start()
        manager.turn_over.acquire()
    live = [thread for thread in threads if thread.waiting]
    while live:
        failed = any(thread.exception for thread in threads)
        live.reverse()
        for thread in live:
            thread.abort = failed
            thread.my_turn.release()
            manager.turn_over.acquire()
        live = [thread for thread in live if thread.waiting]
    for thread in threads:
        thread.join()
        if thread.exception and not thread.abort:
            raise thread.exception[0].with_traceback(thread.exception[1])


def new_thread(manager, grid_point, point, args):
    """A thread that hands the turn back when it ends."""

    def target():
        try:
            manager._f(*args)
        finally:
            thread.waiting = False
            manager.turn_over.release()

    thread = simulator.BlockThread(target, manager, grid_point, (point, 0, 0), manager._debug)
    thread.my_turn, thread.waiting = threading.Semaphore(0), False
    return thread
