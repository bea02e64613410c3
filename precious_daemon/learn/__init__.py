"""Learns from the owner's answers, in a process of its own: the only room that imports torch.

`python -m precious_daemon.learn JOBDIR` embeds pictures or trains, as `job.json` says; see `jobfolder.py`. In the order in
which a night uses them: `backbone` (picture to features), `embed`, `data` and `space` (features to coordinates), the
learners `baseline`, `augment` and `fixmatch`, `champion` (which of them to believe), `taste` (votes) and `report`.
"""
