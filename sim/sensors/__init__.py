"""What electrodes, sensors and scanners make of the patient: spikes, field potentials, EEG and MEG, BOLD.

A sensor is bound to a seed, takes what its sources did in a block of 10 ms and returns the samples of that block. Like
a component it draws noise as a function of seed and step only, keeps its state in named arrays, and is reset to
freshly bound::

    sensor.bind(seed)
    rows = sensor.take(block)      # (n_samples, n_channels) float32, in the sensor's unit; borrowed
    sensor.state(); sensor.reset()
"""
