"""Simulation-based calibration: sources drawn from the priors, images by GalSim, fitted, truth ranked.

Nothing is imported here: the name of a trial's file holds a hash of the code that the trial uses, and tables
and pictures are no part of that.
"""
