"""Published programs of other groups, run unchanged by the method `command`.

`systems.yaml` says what each program needs; `configs/official.yaml` how it is called. A file here
writes one shape of input (`numbered_frames`, `file_list`); `doctor` finds out what a checkout
lacks.
"""
