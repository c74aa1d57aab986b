"""How the network is made: network, data, augment, train, quantize, evaluate.

The only part of the repository that imports TensorFlow (extra ``train``).
"""
