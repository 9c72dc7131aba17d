"""Fixed text of the page: headings, what each part shows, key numbers."""

from typing import Final

__all__ = ["PAGE"]

PAGE: Final[dict[str, tuple[str, str]]] = {
    # head
    "check.title": ("Locality report: {title}", "局所性レポート: {title}"),
    "check.kind": ("Locality report", "局所性レポート"),
    "page.language": ("日本語", "English"),
    "page.table": ("{n_rows:,} rows × {n_columns:,} columns", "{n_rows:,} 行 × {n_columns:,} 列"),
    "page.lags": ("{lags:,} rows of the past", "過去 {lags:,} 行を考慮"),
    "page.level": ("error level {level:.3g}", "有意水準 {level:.3g}"),
    "page.contents": ("Contents", "目次"),
    "page.question": ("Does locality hold in these data?", "このデータで局所性は成り立つか"),
    "page.reasons": ("What the answer rests on", "判定の根拠"),
    "page.numbers": ("Key numbers", "主な数値"),
    "page.zoom": (
        "Hover or tap for details; drag to zoom in, double-click to zoom out.",
        "点に触れると詳細を表示。ドラッグで拡大、ダブルクリックで元に戻ります。",
    ),
    "page.sort": (
        "Click a heading to sort by it.",
        "見出しをクリックすると並べ替えます。",
    ),
    "page.shortened": (
        "The first {shown:,} of {total:,} rows; all are in {file}.",
        "全 {total:,} 行のうち先頭の {shown:,} 行。全体は {file} にあります。",
    ),
    "page.made": (
        "Made by locality {version}. This file is complete in itself: it loads nothing from the "
        "network.",
        "locality {version} により作成。このファイルは単独で完結し、ネットワークから何も読み込み"
        "ません。",
    ),
    "page.source": (
        "The numbers behind every picture are in the CSV files beside it.",
        "各図の数値は同じフォルダーの CSV ファイルにあります。",
    ),
    # key numbers
    "number.neighbors": ("neighbors that a column needs", "1 列に必要な近傍の数"),
    "number.radius": ("radius that is best for all columns", "全列に共通の最良の半径"),
    "number.saved": ("nats per row saved by neighborhoods", "近傍により減る 1 行あたりのナット"),
    "number.lost": (
        "of the dependence is given up by staying local",
        "局所モデルで失われる依存関係の割合",
    ),
    "number.edges": ("direct dependences in {groups:,} groups", "直接の依存関係({groups:,} 群)"),
    "number.rows": (
        "rows for {quality:.0%} of what can be learned",
        "学習可能な依存の {quality:.0%} に必要な行数",
    ),
    "number.rows.without": ("{rows:,} without locality", "局所性なしでは {rows:,}"),
    "number.rows.never": (
        "without locality: beyond reach",
        "局所性なしでは到達できない",
    ),
    # headings, each with a sentence on what the part shows
    "graph": ("Who depends on whom", "列どうしの依存関係"),
    "graph.lead": (
        "Each dot is a column, each line a direct dependence found in the data or given by you. "
        "Colors are groups of columns that belong together; a dark ring marks a column that its "
        "neighborhood does not fully explain; arrows point from the column that leads to the one "
        "that follows.",
        "点は列、線はデータから見つかった(または与えられた)直接の依存関係です。色は互いに関係の"
        "深い列の群、濃い輪は近傍だけでは説明しきれない列、矢印は先行する列から後に続く列への"
        "向きを示します。",
    ),
    "graph.partial": (
        "Drawn are {nodes:,} of {all_nodes:,} columns, those around the strongest dependences, and "
        "{edges:,} of {all_edges:,} dependences. All of them are in graph.csv.",
        "全 {all_nodes:,} 列のうち最も強い依存関係の周辺の {nodes:,} 列と、その間の依存関係のうち"
        "強い {edges:,} 本(全 {all_edges:,} 本中)を描いています。すべての依存関係は graph.csv に"
        "あります。",
    ),
    "graph.none": (
        "No direct dependence between columns was found: every column stands alone.",
        "列の間に直接の依存関係は見つかりませんでした。各列は独立しています。",
    ),
    "graph.groups": ("Groups", "群"),
    "graph.strongest": ("Strongest dependences", "最も強い依存関係"),
    "radius": ("How far a column must see", "列はどこまで見るべきか"),
    "radius.lead": (
        "A small radius cuts dependence off (localization error); a large one has more to learn "
        "from the same rows (statistical error). The best radius makes their sum smallest.",
        "半径が小さいと依存が切り捨てられ(局所化誤差)、大きいと同じ行数からより多くを学ばねば"
        "なりません(統計誤差)。両者の和が最小になる半径が最良です。",
    ),
    "sensors": ("How local each column is", "列ごとの局所性"),
    "sensors.lead": (
        "What a column's neighborhood tells about it, and what the strongest tie beyond its "
        "neighborhood would still add. Nothing beyond means: local.",
        "各列について近傍から分かる量と、近傍の外にある最も強い関係がさらに加える量です。"
        "外側に何も残らなければ局所的です。",
    ),
    "sensors.partial": (
        "Drawn are {shown:,} of {total:,} columns: the least local first, then those that "
        "neighbors tell most about.",
        "全 {total:,} 列のうち {shown:,} 列を描いています。局所的でない列を先に、次に近傍から"
        "多くが分かる列を並べています。",
    ),
    "bands": ("Coarse and fine structure", "粗い構造と細かい構造"),
    "bands.lead": (
        "Dependence split by noise level: coarse bands ask whether a value is usual at all, fine "
        "bands whether it fits its neighbors now.",
        "依存関係をノイズの大きさごとに分けたものです。粗い帯は値がそもそも普通かどうか、細かい帯"
        "は値が今の近傍と合っているかどうかを問います。",
    ),
    "learning": ("How much data is needed", "必要なデータ量"),
    "learning.lead": (
        "Nats of unseen rows after learning from fewer or more rows: less is better. Where the "
        "local curve lies below the global one, locality pays.",
        "学習に使う行数を変えたときの、未使用の行のナットです。小さいほど良く、局所モデルの曲線が"
        "大域モデルより下にあれば局所性が役立っています。",
    ),
    "factors": ("Would a few global factors do?", "少数の大域因子で足りるか"),
    "factors.lead": (
        "Nats of unseen rows under a model that has nothing but a few factors common to all "
        "columns. If it beats the local model, dependence is global.",
        "全列に共通する少数の因子だけを持つモデルでの、未使用の行のナットです。局所モデルより"
        "小さければ依存は大域的です。",
    ),
    "costs": ("What a fit costs", "学習にかかる費用"),
    "costs.lead": (
        "Predicted for this machine; measured times stand beside the prediction where known.",
        "この計算機での予測値です。実測値がある場合は並べて示します。",
    ),
    "next": ("What to do next", "次にすべきこと"),
    "notes": ("Notes on the data", "データについての注記"),
    "glossary": ("Glossary", "用語集"),
    # names of the parts in the contents
    "menu.graph": ("Graph", "グラフ"),
    "menu.radius": ("Radius", "半径"),
    "menu.sensors": ("Columns", "列"),
    "menu.bands": ("Bands", "ノイズ帯"),
    "menu.learning": ("Data", "データ量"),
    "menu.factors": ("Factors", "因子"),
    "menu.costs": ("Cost", "費用"),
    "menu.next": ("Next steps", "次の手順"),
    "menu.notes": ("Notes", "注記"),
    "menu.glossary": ("Glossary", "用語集"),
}
"""English and Japanese of every key."""
