"""PC-AVS: one still, speech, and a recording whose head movements are taken over.

The networks at their published width, with their published names; see README.md.
"""
