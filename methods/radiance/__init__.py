"""What portraits of one person share: codes, speech, rays, volumes, planes, how they learn.

Sources: YudongGuo/AD-NeRF @ 9fdcd7e (MIT); Fictionarry/ER-NeRF @ 0cf72d8 (MIT), re-written.
"""
