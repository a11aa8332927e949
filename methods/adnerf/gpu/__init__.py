"""AD-NeRF in ten minutes of a GPU; packed and run by `methods.wav2lip.gpu`."""
