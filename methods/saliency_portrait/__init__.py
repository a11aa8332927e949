"""The region-saliency portrait, and ER-NeRF, on which it is built.

Sources: jsjkx 2025, 52(3): 58-67, of which only the abstracts are public; Li et al., ICCV 2023,
Fictionarry/ER-NeRF @ 0cf72d8 (MIT).
"""
