"""AD-NeRF: a radiance field of one person's head, and one of the torso, that hear speech.

Source: Guo et al., ICCV 2021; YudongGuo/AD-NeRF @ 9fdcd7e (MIT).
"""
