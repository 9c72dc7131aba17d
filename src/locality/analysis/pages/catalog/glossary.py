"""The glossary: the words of a report for readers who are new to it."""

from typing import Final

__all__ = ["GLOSSARY", "TERMS"]

TERMS: Final[tuple[str, ...]] = (
    "nats",
    "surprise",
    "held-out",
    "radius",
    "neighborhood",
    "localization",
    "statistical",
    "band",
    "global",
    "level",
)
"""What is explained, in this order: ``term.<word>`` is the word, ``meaning.<word>`` its meaning."""

GLOSSARY: Final[dict[str, tuple[str, str]]] = {
    "term.nats": ("nats", "ナット"),
    "meaning.nats": (
        "The unit of information, as meters are of length: 0.69 nats are one bit. Fewer nats of "
        "unseen rows mean a model that knows the data better; a difference of 0.1 per row is "
        "small, of 1 plain to see.",
        "情報量の単位で、0.69 ナットが 1 ビットです。未使用の行のナットが少ないほど、モデルは"
        "データをよく知っています。1 行あたり 0.1 の差は小さく、1 の差は明らかです。",
    ),
    "term.surprise": ("surprise", "驚き量"),
    "meaning.surprise": (
        "How unexpected a value is to the model, in nats: the negative logarithm of its "
        "probability density. The surprises of all columns add up to that of the row.",
        "値がモデルにとってどれほど意外かをナットで表したもの(確率密度の対数の符号を変えた値)"
        "です。全列の驚き量の和が行の驚き量になります。",
    ),
    "term.held-out": ("held-out", "ホールドアウト"),
    "meaning.held-out": (
        "Judged on rows that the model has not seen while learning, so that learning by heart "
        "gains nothing.",
        "学習に使わなかった行で評価すること。丸暗記では得をしません。",
    ),
    "term.radius": ("radius", "半径"),
    "meaning.radius": (
        "How many steps along the graph a column sees: 0 is the column alone, 1 its direct "
        "neighbors, 2 their neighbors as well.",
        "列がグラフ上で何歩先まで見るか。0 はその列だけ、1 は直接つながる列まで、2 はさらに"
        "その先の列までです。",
    ),
    "term.neighborhood": ("neighborhood", "近傍"),
    "meaning.neighborhood": (
        "All columns within the radius of a column. A local model explains each column from its "
        "neighborhood only.",
        "ある列から半径以内にあるすべての列。局所モデルは各列をその近傍だけから説明します。",
    ),
    "term.localization": ("localization error", "局所化誤差"),
    "meaning.localization": (
        "Nats lost because dependence beyond the radius is cut off. It falls as the radius grows.",
        "半径の外への依存を切り捨てることで失うナット。半径が大きくなると減ります。",
    ),
    "term.statistical": ("statistical error", "統計誤差"),
    "meaning.statistical": (
        "Nats lost because the rows are too few for all that is to be learned. It grows with the "
        "radius and falls with more rows.",
        "学ぶべき量に対して行数が足りないことで失うナット。半径とともに増え、行数が増えると"
        "減ります。",
    ),
    "term.band": ("noise band", "ノイズ帯"),
    "meaning.band": (
        "A range of noise added to the data, in standard deviations of a column. Much noise leaves "
        "only coarse structure to be seen, little noise shows the finest.",
        "データに加えるノイズの大きさの範囲(列の標準偏差が単位)。ノイズが大きいと粗い構造だけが"
        "残り、小さいと細かい構造まで見えます。",
    ),
    "term.global": ("global model", "大域モデル"),
    "meaning.global": (
        "A model in which every column may depend on every other, or on factors common to all.",
        "どの列も他のすべての列や全体に共通の因子に依存しうるモデル。",
    ),
    "term.level": ("error level", "有意水準"),
    "meaning.level": (
        "The share of false dependences among those reported that is accepted on average, and the "
        "probability with which a test may raise a false alarm.",
        "報告される依存関係のうち誤りとして平均的に許容する割合、および検定が誤って警告する確率"
        "です。",
    ),
}
"""English and Japanese of every key."""
