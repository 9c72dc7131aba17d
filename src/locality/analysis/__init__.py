"""Does locality hold in these data, how far, at what price? Reports before and after a fit.

``planning > check | quality > pages``: a proof of concept asks a check of dependence and judges by
the quality of drawn rows, so a check cannot ask a plan for its costs. It is handed a function that
does, by `locality.analysis.face`, which stands above both. Pages are given plain rows.
"""
