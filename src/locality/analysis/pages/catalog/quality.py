"""Texts of an evaluation of drawn rows: grades, sentences, headings, pictures."""

from typing import Final

__all__ = ["QUALITY"]

QUALITY: Final[dict[str, tuple[str, str]]] = {
    # head
    "quality.title": ("Quality of drawn rows: {title}", "生成データの品質: {title}"),
    "quality.kind": ("Quality of drawn rows", "生成データの品質"),
    "quality.question": (
        "Can drawn rows stand for real ones?",
        "生成した行は実データの代わりになるか",
    ),
    "quality.rows": (
        "{drawn:,} drawn rows against {real:,} real ones",
        "生成 {drawn:,} 行と実データ {real:,} 行の比較",
    ),
    "quality.columns": ("{n_columns:,} columns", "{n_columns:,} 列"),
    "quality.source": (
        "All its numbers are printed by locality evaluate --json.",
        "数値はすべて locality evaluate --json で出力できます。",
    ),
    "as real": ("as good as real rows of another time", "別の時期の実データと同等"),
    "close": ("close to real rows", "実データに近い"),
    "told apart": ("told apart from real rows", "実データと区別できる"),
    # sentences
    "quality.summary": (
        "Real rows are cut into halves. Drawn rows and the earlier half are both compared with the "
        "later half, for no model can be asked for more than real rows of another time reach.",
        "実データを前半と後半に分け、生成した行と前半の行の両方を後半の行と比べます。別の時期の"
        "実データが届く水準を超えることは、どのモデルにも求められないからです。",
    ),
    "quality_auc": (
        "A random forest that is shown a drawn and a later real row says which is which in "
        "{auc:.0%} of the cases (± {error:.1%}); of an earlier and a later real row in {real:.0%}. "
        "Guessing reaches 50 %.",
        "ランダムフォレストに生成した行と後半の実データの行を 1 つずつ見せると、{auc:.0%}"
        "(± {error:.1%})の割合で見分けます。前半と後半の実データでは {real:.0%}、当て推量では "
        "50 % です。",
    ),
    "quality_margins": (
        "Distributions of single columns agree to {drawn:.3f} (earlier real rows {real:.3f}; 1 is "
        "perfect).",
        "各列の分布の一致度は {drawn:.3f}(前半の実データは {real:.3f}、1 が完全)です。",
    ),
    "quality_edges": (
        "Correlations of columns joined by an edge agree to {drawn:.3f} (earlier real rows "
        "{real:.3f}).",
        "辺で結ばれた列どうしの相関の一致度は {drawn:.3f}(前半の実データは {real:.3f})です。",
    ),
    "quality_others": (
        "Correlations of all other pairs, which follow from those along the edges, agree to "
        "{drawn:.3f} (earlier real rows {real:.3f}).",
        "辺に沿った相関から導かれるそれ以外の組の相関の一致度は {drawn:.3f}(前半の実データは "
        "{real:.3f})です。",
    ),
    "quality_tails_right": (
        "{drawn:.1%} of the drawn values lie beyond the 1 % and 99 % quantiles (earlier real rows "
        "{real:.1%}; 2 % if right): the tails are neither cut nor blown up.",
        "1 % 点と 99 % 点の外にある値は生成した行で {drawn:.1%}(前半の実データは {real:.1%}、"
        "正しければ 2 %)で、裾は短すぎも長すぎもしません。",
    ),
    "quality_tails_light": (
        "Only {drawn:.1%} of the drawn values lie beyond the 1 % and 99 % quantiles (earlier real "
        "rows {real:.1%}; 2 % if right): rare values are too rare.",
        "1 % 点と 99 % 点の外にある値が生成した行では {drawn:.1%} しかなく(前半の実データは "
        "{real:.1%}、正しければ 2 %)、まれな値が少なすぎます。",
    ),
    "quality_tails_heavy": (
        "{drawn:.1%} of the drawn values lie beyond the 1 % and 99 % quantiles (earlier real rows "
        "{real:.1%}; 2 % if right): rare values come too often.",
        "1 % 点と 99 % 点の外にある値が生成した行では {drawn:.1%} もあり(前半の実データは "
        "{real:.1%}、正しければ 2 %)、まれな値が多すぎます。",
    ),
    "quality_memory": (
        "Autocorrelations differ by {drawn:.3f} on average (earlier real rows {real:.3f}).",
        "自己相関の差は平均 {drawn:.3f}(前半の実データは {real:.3f})です。",
    ),
    "quality_target": (
        "A forest that learned {target} from the other columns on drawn rows explains {drawn:.0%} "
        "of its variance in later real rows; learned on earlier real rows, {real:.0%}.",
        "生成した行で他の列から {target} を学んだ森は、後半の実データでその分散の {drawn:.0%} を"
        "説明します。前半の実データで学ぶと {real:.0%} です。",
    ),
    "quality_private": (
        "{share:.0%} of the drawn rows lie closer to a row learned from than to a later one: about "
        "one half, so no row was learned by heart.",
        "生成した行の {share:.0%} は、後半の行より学習に使った行に近くにあります。ほぼ半分であり、"
        "行の丸暗記は見られません。",
    ),
    "quality_heart": (
        "{share:.0%} of the drawn rows lie closer to a row learned from than to a later one; one "
        "half would be right. Either rows were learned by heart, or the data have moved since.",
        "生成した行の {share:.0%} は、後半の行より学習に使った行に近くにあります(半分が正常)。"
        "行を丸暗記しているか、学習後にデータが変化しています。",
    ),
    # key numbers
    "quality.number.auc": ("told apart (50 % is best)", "見分けられた割合(50 % が最良)"),
    "quality.number.margins": ("agreement of columns", "列の分布の一致度"),
    "quality.number.edges": ("agreement of pairs with an edge", "辺のある組の一致度"),
    "quality.number.others": ("agreement of other pairs", "その他の組の一致度"),
    "quality.number.privacy": ("nearer to a training row", "学習データの行の方が近い割合"),
    "quality.number.real": ("earlier real rows: {value}", "前半の実データ: {value}"),
    # parts
    "quantiles": ("Columns that differ most", "最も異なる列"),
    "quantiles.lead": (
        "Quantiles of drawn values over those of later real ones, from the 0.1 % to the 99.9 % "
        "quantile. On the line both have the same distribution; the gray points are earlier real "
        "rows.",
        "後半の実データの分位点(0.1 % から 99.9 %)に対する、生成した値の分位点です。線上なら"
        "同じ分布です。灰色の点は前半の実データです。",
    ),
    "pairs": ("Pairs of columns", "列の組"),
    "pairs.lead": (
        "Rank correlation of every pair: drawn rows over later real rows. On the line both agree.",
        "各組の順位相関です。横軸が後半の実データ、縦軸が生成した行で、線上なら一致しています。",
    ),
    "memory": ("Memory", "時間方向の記憶"),
    "memory.lead": (
        "Autocorrelation over the lag, mean over all columns.",
        "時間差に対する自己相関(全列の平均)です。",
    ),
    "menu.quantiles": ("Columns", "列"),
    "menu.pairs": ("Pairs", "組"),
    "menu.memory": ("Memory", "記憶"),
    # tables
    "head.distance": ("difference of quantiles, in σ", "分位点の差(σ 単位)"),
    "head.real_distance": ("of earlier real rows", "前半の実データ"),
    "head.tails": ("beyond 1 % and 99 %", "1 % 点と 99 % 点の外"),
    "head.edge": ("edge", "辺"),
    "head.drawn": ("drawn", "生成"),
    "head.earlier": ("earlier real rows", "前半の実データ"),
    "head.later": ("later real rows", "後半の実データ"),
    "yes": ("yes", "あり"),
    "no": ("no", "なし"),
    "pairs.worst": ("Pairs that differ most", "最も異なる組"),
    # pictures
    "axis.later": ("later real rows", "後半の実データ"),
    "axis.drawn": ("drawn rows", "生成した行"),
    "axis.correlation.later": ("correlation in later real rows", "後半の実データでの相関"),
    "axis.correlation.drawn": ("correlation in drawn rows", "生成した行での相関"),
    "axis.time": ("lag in rows", "時間差(行)"),
    "axis.autocorrelation": ("autocorrelation", "自己相関"),
    "legend.drawn": ("drawn", "生成"),
    "legend.earlier": ("earlier real rows", "前半の実データ"),
    "legend.later": ("later real rows", "後半の実データ"),
    "legend.edge": ("with an edge", "辺あり"),
    "legend.other": ("without", "辺なし"),
    "hover.pair": (
        "{a} – {b}<br>drawn {drawn:.2f}, later {later:.2f}, earlier {earlier:.2f}",
        "{a} – {b}<br>生成 {drawn:.2f}、後半 {later:.2f}、前半 {earlier:.2f}",
    ),
    "hover.quantile": (
        "{name}, {level:.1%} quantile<br>drawn {drawn:.4g}, later {later:.4g}, earlier "
        "{earlier:.4g}",
        "{name}、{level:.1%} 点<br>生成 {drawn:.4g}、後半 {later:.4g}、前半 {earlier:.4g}",
    ),
}
"""English and Japanese of every key."""
