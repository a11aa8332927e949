"""The Wav2Lip family: one generator, one sync expert, one discriminator, and eight settings.

Sources: Rudrabha/Wav2Lip (models, audio front end, state-dict names) and doi
10.11896/jsjkx.241200067 (fused audio features, attention, normalised discriminator).
"""
