"""Fixed text of the pictures: axes, legends, and what appears over a point."""

from typing import Final

__all__ = ["PICTURES"]

PICTURES: Final[dict[str, tuple[str, str]]] = {
    # axes
    "axis.radius": ("radius: steps along the graph", "半径(グラフ上の歩数)"),
    "axis.excess": ("nats of a row above the best", "最良からの差(ナット/行)"),
    "axis.excess.log": (
        "nats of a row above the best (log)",
        "最良からの差(ナット/行、対数)",
    ),
    "axis.column": ("nats of the column", "列のナット"),
    "axis.band": ("noise, from coarse to fine", "ノイズ(粗→細)"),
    "axis.row": ("nats of a row", "ナット/行"),
    "axis.nats": ("nats of a row (less is better)", "ナット/行(小さいほど良い)"),
    "axis.rows": ("rows to learn from (log)", "学習に使う行数(対数)"),
    "axis.factors": ("number of global factors", "大域因子の数"),
    # legends
    "legend.total": ("both errors together", "両誤差の和"),
    "legend.localization": ("localization error", "局所化誤差"),
    "legend.statistical": ("statistical error", "統計誤差"),
    "legend.chosen": ("best radius: {radius}", "最良の半径: {radius}"),
    "legend.saved": ("told by its neighborhood", "近傍から分かる量"),
    "legend.beyond": ("still beyond it", "近傍の外に残る量"),
    "legend.band.saved": ("saved by neighborhoods", "近傍により減る量"),
    "legend.band.lost": ("a global model would add", "大域モデルでさらに減る量"),
    "legend.independent": ("every column alone", "各列が独立"),
    "legend.local": ("local", "局所モデル"),
    "legend.global": ("global", "大域モデル"),
    "legend.factors": ("factors only", "因子のみ"),
    "legend.given": ("given, without support", "指定のみ(裏付けなし)"),
    # over a point
    "hover.column": (
        "{name}: {answer}<br>group {group}, {degree:,} direct dependences<br>"
        "radius {radius}, {n_neighbors:.1f} neighbors used",
        "{name}: {answer}<br>群 {group}、直接の依存 {degree:,} 本<br>"
        "半径 {radius}、使う近傍 {n_neighbors:.1f}",
    ),
    "hover.plain": (
        "{name}<br>{degree:,} direct dependences",
        "{name}<br>直接の依存 {degree:,} 本",
    ),
    "hover.edge": (
        "{a} – {b}<br>{kind}, strength {weight:.2f}<br>{lag}<br>"
        "confidence {confidence:.3f}, {source}",
        "{a} – {b}<br>{kind}、強さ {weight:.2f}<br>{lag}<br>確信度 {confidence:.3f}、{source}",
    ),
    "hover.radius": (
        "radius {radius}: {nats:.3f} nats of a row<br>localization {localization:.3f} + "
        "statistical {statistical:.3f}<br>± {error:.3f} against the best radius",
        "半径 {radius}: {nats:.3f} ナット/行<br>局所化 {localization:.3f} + "
        "統計 {statistical:.3f}<br>最良の半径との差の誤差 ± {error:.3f}",
    ),
    "hover.saved": (
        "{name}: {answer}<br>{saved:.3f} nats told by its neighborhood<br>"
        "{independent:.3f} alone, {local:.3f} with it",
        "{name}: {answer}<br>近傍から分かる量 {saved:.3f} ナット<br>"
        "単独 {independent:.3f}、近傍あり {local:.3f}",
    ),
    "hover.beyond": (
        "{name}: {beyond:.3f} nats beyond its neighborhood<br>with {partner}, p = {p_value:.2g}",
        "{name}: 近傍の外に {beyond:.3f} ナット<br>相手 {partner}、p = {p_value:.2g}",
    ),
    "hover.band": (
        "{band}: {answer}<br>saved {saved:.3f}, a global model would add {lost:.3f}<br>"
        "radius {mean_radius:.1f} on average, at most {largest_radius}",
        "{band}: {answer}<br>減る量 {saved:.3f}、大域モデルでさらに {lost:.3f}<br>"
        "半径は平均 {mean_radius:.1f}、最大 {largest_radius}",
    ),
    "hover.learning": (
        "{model}, {n_rows:,} rows<br>{nats:.3f} ± {error:.3f} nats of a row",
        "{model}、{n_rows:,} 行<br>{nats:.3f} ± {error:.3f} ナット/行",
    ),
    "hover.factors": (
        "{n_factors} factors: {nats:.3f} nats of a row",
        "因子 {n_factors} 個: {nats:.3f} ナット/行",
    ),
    "hover.level": ("{model}: {nats:.3f} nats of a row", "{model}: {nats:.3f} ナット/行"),
}
"""English and Japanese of every key."""
