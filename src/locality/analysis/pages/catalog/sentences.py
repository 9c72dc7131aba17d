"""Sentences that a check says: answers, summaries, reasons, next steps and notes."""

from typing import Final

__all__ = ["SENTENCES"]

SENTENCES: Final[dict[str, tuple[str, str]]] = {
    # answers
    "local": ("local", "局所的"),
    "partly local": ("partly local", "部分的に局所的"),
    "not local": ("not local", "局所的でない"),
    # two sentences for a manager
    "summary_local": (
        "Locality holds: each of the {columns:,} columns depends directly on few others, on "
        "{neighbors:.1f} on average.",
        "局所性が成り立ちます。{columns:,} 列のそれぞれが直接依存するのは少数の列(平均 "
        "{neighbors:.1f} 列)だけです。",
    ),
    "advice_local": (
        "Small models of neighborhoods lose {share:.1f} % of what is to be known about the "
        "dependence of these columns, and can be trained, checked and renewed one by one.",
        "近傍ごとの小さなモデルで失われるのは、依存関係について分かることの {share:.1f} % で、"
        "一つずつ学習・点検・更新できます。",
    ),
    "summary_partly_local": (
        "Locality holds in part: of {columns:,} columns most depend directly on few others, "
        "{neighbors:.1f} on average, but not everything is explained that way.",
        "局所性は部分的に成り立ちます。{columns:,} 列の多くは少数の列(平均 {neighbors:.1f} 列)"
        "にだけ直接依存しますが、それですべては説明できません。",
    ),
    "advice_partly_local": (
        "A local model is useful and loses {share:.1f} % of what is to be known about dependence; "
        "the columns named below need more than their neighborhoods.",
        "局所モデルは有用で、失われるのは依存関係について分かることの {share:.1f} % です。ただし"
        "下に挙げた列には近傍だけでは足りません。",
    ),
    "summary_not_local": (
        "Locality does not hold: the {columns:,} columns depend on each other as a whole, not on "
        "few neighbors each.",
        "局所性は成り立ちません。{columns:,} 列は少数の近傍ではなく、全体として互いに依存して"
        "います。",
    ),
    "advice_not_local": (
        "Use a global model, or give the common cause as a condition and check again; a local "
        "model loses {share:.1f} % of what is to be known about dependence.",
        "大域モデルを使うか、共通の原因を条件として与えて再度確認してください。局所モデルでは"
        "依存関係について分かることの {share:.1f} % が失われます。",
    ),
    # reasons
    "reason_independent": (
        "In straight lines the columns hardly depend on each other: neighbors are worth {nats:.3f} "
        "nats per column.",
        "列どうしの直線的な依存はほぼありません。近傍の価値は 1 列あたり {nats:.3f} ナットです。",
    ),
    "reason_neighbors": (
        "A column needs {neighbors:.1f} others on average to know nine tenths of what its best "
        "neighborhood knows.",
        "最良の近傍が知ることの 9 割を知るのに必要なのは、1 列あたり平均 {neighbors:.1f} 列です。",
    ),
    "reason_crowd": (
        "A column needs {neighbors:.1f} of the {columns:,} columns to know nine tenths of what is "
        "to be known: a neighborhood of nearly everybody is none.",
        "9 割を知るのに {columns:,} 列のうち {neighbors:.1f} 列が必要です。ほぼ全列からなる近傍は"
        "近傍とは言えません。",
    ),
    "reason_factors": (
        "{factors} common factor(s) and nothing else know as much as all neighborhoods together: "
        "what looks like many weak neighbors is one hidden cause.",
        "{factors} 個の共通因子だけで、すべての近傍を合わせたのと同じだけのことが分かります。"
        "多くの弱い近傍に見えるものは、一つの隠れた原因です。",
    ),
    "reason_few_rows": (
        "With {rows:,} rows for {columns:,} columns a graph can hardly be learned: what seems lost "
        "may be missing rows. Give a graph, or more rows.",
        "{columns:,} 列に対し {rows:,} 行ではグラフの学習は困難で、失われて見えるものは行数の不足"
        "かもしれません。グラフを与えるか、行を増やしてください。",
    ),
    "reason_lost": (
        "Of what is known about dependence, {share:.1f} % ({nats:.2f} nats per row) is known only "
        "to one Gaussian model of all columns at once: a local model gives that up.",
        "依存関係について分かることの {share:.1f} %(1 行あたり {nats:.2f} ナット)は、全列を一度に"
        "扱うガウスモデルだけが知っており、局所モデルはこれを失います。",
    ),
    "reason_lost_factors": (
        "Of what is known about dependence, {share:.1f} % ({nats:.2f} nats per row) is known only "
        "to a model with a few common factors: a local model gives that up.",
        "依存関係について分かることの {share:.1f} %(1 行あたり {nats:.2f} ナット)は、少数の共通"
        "因子を持つモデルだけが知っており、局所モデルはこれを失います。",
    ),
    "reason_nothing_lost": (
        "No global model tried surely knows more on unseen rows (beyond two standard errors): "
        "nothing sure is lost by staying local.",
        "未使用の行で局所モデルより多くを知る大域モデルはなく、局所化で確かに失われるものは"
        "ありません。",
    ),
    "reason_far": (
        "{count:,} column(s) still depend on something beyond their neighborhood, most of all {a} "
        "on {b}.",
        "{count:,} 列は近傍の外にもなお依存しています。最も強いのは {a} の {b} への依存です。",
    ),
    "reason_nothing_far": (
        "Beyond the neighborhoods nothing further was found in the same row, nonlinear dependence "
        "included (error level {level:.3g}, corrected for all tests).",
        "近傍の外には、同じ行の中で、非線形のものも含めてそれ以上の依存は見つかりませんでした"
        "(有意水準 {level:.3g}、全検定について補正済み)。",
    ),
    # what to do next
    "next_fit": (
        "Fit a model: locality fit TABLE -o MODEL --graph REPORT/graph.csv --lags {lags}{options}",
        "モデルを学習します: locality fit TABLE -o MODEL --graph REPORT/graph.csv --lags {lags}"
        "{options}",
    ),
    "next_neural": (
        "{count:,} dependence(s) are not straight lines: networks (--denoiser neural, the default) "
        "can learn them, the closed form cannot.",
        "{count:,} 個の依存は直線ではありません。ネットワーク(--denoiser neural、既定)なら学習でき"
        "ますが、閉形式ではできません。",
    ),
    "next_lags": (
        "{count:,} dependence(s) act after more than {lags} rows, the longest between {a} and {b} "
        "after {delay}: a model sees them with --lags {delay}.",
        "{count:,} 個の依存は {lags} 行より後に現れ、最長は {a} と {b} の間の {delay} 行です。"
        "--lags {delay} とすればモデルに取り込まれます。",
    ),
    "next_merge": (
        "Your graph misses {count:,} dependence(s) between columns that are not neighbors in it "
        "({names}): check again with --merge, or correct the graph.",
        "与えられたグラフには、隣り合わない列の間の依存 {count:,} 個({names})が欠けています。"
        "--merge を付けて再度確認するか、グラフを直してください。",
    ),
    "next_partly": (
        "Look at the columns marked below. If they share a cause that is measured (load, weather, "
        "time of day), give it as a condition with --context.",
        "下で印の付いた列を確認してください。測定されている共通の原因(負荷、天候、時刻など)が"
        "あれば、--context で条件として与えます。",
    ),
    "next_global": (
        "Use a global model for these columns as they are, such as one Gaussian of all columns or "
        "a factor model.",
        "現状の列には、全列のガウスモデルや因子モデルなどの大域モデルを使ってください。",
    ),
    "next_context": (
        "If the common cause is known (load, recipe, weather, time of day), add it as a column, "
        "take it out of every column or give it with --context, and check again: what remains may "
        "be local.",
        "共通の原因(負荷、レシピ、天候、時刻など)が分かっていれば、列として加え、各列から除くか "
        "--context で与えて再度確認してください。残りは局所的かもしれません。",
    ),
    "next_poc": (
        "Prove it on a few columns first: locality poc TABLE --quality 0.95 -o poc/",
        "まず少数の列で試します: locality poc TABLE --quality 0.95 -o poc/",
    ),
    # after a proof of concept
    "poc_try": (
        "Use the model of the group: locality score {model} NEW_ROWS -o surprise.parquet",
        "群のモデルを使います: locality score {model} NEW_ROWS -o surprise.parquet",
    ),
    "poc_grow": (
        "Model the whole table the same way: locality fit TABLE -o MODEL --lags {lags}",
        "表全体を同じ方法でモデル化します: locality fit TABLE -o MODEL --lags {lags}",
    ),
    "poc_alone": (
        "No group knows enough of its columns without the rest: model the whole table, or lower "
        "--quality.",
        "残りなしで十分に分かる群はありません。表全体をモデル化するか、--quality を下げます。",
    ),
    "poc_rows": (
        "Drawn rows fall short in: {names}. More rows help if few were available; columns that "
        "hold their value are drawn as if they moved all the time.",
        "生成した行が及ばない点: {names}。行が少なければ増やすことが有効です。値を保持する列は、"
        "絶えず動く列として生成されます。",
    ),
    "poc_drift": (
        "The rows kept back differ from those before (a classifier tells them apart with an area "
        "under the curve of {auc:.2f}): the table moves, and a longer record would judge better.",
        "取り分けた行はそれ以前の行と異なります(分類器の AUC {auc:.2f})。データが変動しており、"
        "より長い記録で評価する方が確実です。",
    ),
    "poc_other": (
        "Try another column to start from: --start COLUMN",
        "別の列から始めます: --start COLUMN",
    ),
    # notes
    "note_context": (
        "What is known ({names}) explains {share:.0f} % of the variance of the columns and was "
        "taken out first: everything here is about what remains.",
        "既知のもの({names})が各列の分散の {share:.0f} % を説明し、あらかじめ除きました。以下は"
        "すべて残りについての結果です。",
    ),
    "note_constant": (
        "{count:,} column(s) are constant and were left out: {names}.",
        "一定値の {count:,} 列を除きました: {names}。",
    ),
    "note_copy": (
        "{count:,} column(s) are exact copies of others and were left out: {names}.",
        "他の列と完全に一致する {count:,} 列を除きました: {names}。",
    ),
    "note_still": (
        "{count:,} column(s) stand still in a fifth of the rows or more at a stretch and were left "
        "out: {names}.",
        "全行の 5 分の 1 以上にわたって続けて動かない {count:,} 列を除きました: {names}。",
    ),
    "note_explained": (
        "{count:,} column(s) are explained entirely by what is known, and were left out: {names}.",
        "既知のものだけで完全に説明される {count:,} 列を除きました: {names}。",
    ),
    "note_missing_column": (
        "{count:,} column(s) miss more than half of their values and were left out: {names}.",
        "値の半分より多くが欠けている {count:,} 列を除きました: {names}。",
    ),
    "note_missing": (
        "{count:,} column(s) have gaps, {share:.1f} % of all values. The graph was learned from "
        "observed values; nats were measured with gaps filled by draws from regressions.",
        "{count:,} 列に欠測があり、全体の {share:.1f} % です。グラフは観測値から学習し、ナットは"
        "回帰からの乱数で補完した値で測りました。",
    ),
    "note_lags": (
        "Rows follow each other in time: each was judged given the {lags} row(s) before it.",
        "行は時間順に並んでいるため、各行を直前の {lags} 行を与えて評価しました。",
    ),
    "note_given": (
        "Of the {total:,} edges of your graph the data support {supported:,}.",
        "与えられたグラフの {total:,} 本の辺中、データの裏付けがあるのは {supported:,} 本です。",
    ),
    "note_unsupported": (
        "{count:,} edge(s) of your graph are not seen in the data: {names}.",
        "与えられたグラフの {count:,} 本の辺はデータに現れません: {names}。",
    ),
    "note_missed": (
        "{count:,} dependence(s) in the data join columns that your graph does not: {names}.",
        "データに現れる {count:,} 個の依存が、与えられたグラフにありません: {names}。",
    ),
    "note_moves": (
        "With fewer rows unseen rows were known as well: the table changes over time more than it "
        "repeats itself, so how many rows are needed cannot be told.",
        "より少ない行でも未使用の行を同程度に予測できました。データの時間変動が大きく、必要な行数は"
        "判断できません。",
    ),
    "note_counter": (
        "{count:,} column(s) only count the rows and were left out: {names}.",
        "行を数えるだけの {count:,} 列を除きました: {names}。",
    ),
    "note_radius": (
        "One radius for all columns would be {radius} with these rows, {halved} with half of them "
        "and {doubled} with twice as many.",
        "全列に共通の半径は、この行数で {radius}、半分の行数で {halved}、2 倍の行数で {doubled} "
        "が最良です。",
    ),
    "note_decay": (
        "The localization error falls about as exp(−r/{length:.2g}) with the radius r.",
        "局所化誤差は半径 r に対しておよそ exp(−r/{length:.2g}) のように減ります。",
    ),
}
"""English and Japanese of every key."""
