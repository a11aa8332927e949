"""ATVGnet: one still face and speech to moving landmarks, and those to pictures.

Source: Chen, Maddox, Duan, Xu, CVPR 2019; lelechen63/ATVGnet @ 02d8f8f (MIT).
"""
