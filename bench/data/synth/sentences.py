"""The sentences: news and sights of Guilin in Mandarin, news and travel in English.

All are our own: some are written out, the others are patterns with every combination of their
slots. At most 29 characters for news and 20 for sights, as in the paper's corpus, and mostly far
fewer, because a clip has three seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

NEWS_LIMIT = 29  # characters, PAPER.md
SIGHTS_LIMIT = 20
ENGLISH_LIMIT = 100  # characters, as in LRS2
SPLITS = ("train", "val", "test", "person", "crowd")  # in the order of their seeds
_JOINTS = {"zh": "", "en": " "}  # between the slots of a pattern
_SHARES = {"test": 0.16, "val": 0.10}


@dataclass(frozen=True)
class Sentence:
    """One sentence with its topic, "news" or "sights"."""

    text: str
    topic: str


# Each string is a slot of the pattern and lists its alternatives.
_PATTERNS_ZH: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "news",
        (
            "北京|上海|广州|重庆|西安|武汉|杭州|福州|南宁|沈阳",
            "今天|明天|后天|周末",
            "晴转多云。|有大到暴雨。|气温下降。|最高三十五度。|白天刮西北风。",
        ),
    ),
    (
        "news",
        (
            "农业部|教育部|交通部|气象台|卫生部门|铁路部门",
            "今天|昨天|上午|下午",
            "公布最新数据。|召开发布会。|发布通知。|回应了此事。",
        ),
    ),
    (
        "news",
        (
            "这个月|上半年|去年|第三季度",
            "出口|消费|就业|旅游|工业|外贸",
            "增长百分之五。|好于预期。|稳中有升。|再创新高。",
        ),
    ),
    (
        "sights",
        (
            "早上|傍晚|雨天|秋天",
            "漓江|阳朔|象山|龙脊|遇龙河",
            "特别美。|薄雾弥漫。|游客很多。|像一幅画。",
        ),
    ),
    (
        "sights",
        ("我们|大家|游客们|朋友们", "坐船|骑车|步行|坐车", "去漓江。|游阳朔。|看瀑布。|到古镇。"),
    ),
)


_PATTERNS_EN: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "news",
        (
            "Tomorrow|This weekend|Tonight|On Monday|By Friday",
            "the north|the west coast|most of Wales|the far south|the valley",
            "will be dry.|stays foggy.|gets some rain.|may see frost.|warms up.",
        ),
    ),
    (
        "news",
        (
            "The mayor|Our team|The company|The bank|A judge|The union",
            "has|never",
            "changed the plan.|approved the move.|moved the date.|paid the bill.",
        ),
    ),
    (
        "sights",
        (
            "You can|People|Families|We always",
            "walk|cycle|drive|sail",
            "to the beach.|up the hill.|by the lake.|around the farm.|past the mill.",
        ),
    ),
    (
        "sights",
        (
            "The view|The garden|The market|The harbour",
            "from above|in spring|after rain|at five",
            "is beautiful.|is very busy.|feels peaceful.|is worth a visit.",
        ),
    ),
)


# What the persons of the test split say where a method learns them; in no other split.
_PATTERNS_PERSON: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "zh": (
        (
            "news",
            (
                "爸爸|妈妈|老师|司机|护士|邻居|画家|警察",
                "中午|半夜|刚刚|每天|总是",
                "买苹果。|喝绿茶。|炒白菜。|读旧报。|洗衣服。|打排球。|跑步。|修马路。",
            ),
        ),
        (
            "sights",
            (
                "小河|石桥|古塔|竹林|湖水|荷花",
                "边上|后面|旁边|附近",
                "有白鹭。|放风筝。|卖米粉。|拍婚纱照。|听渔歌。|摆木船。",
            ),
        ),
    ),
    "en": (
        (
            "news",
            (
                "My brother|The nurse|A farmer|Our neighbour|The pilot|His mother",
                "often|hardly ever|always|sometimes",
                "buys fresh plums.|drops the phone.|moves the boxes.|fixes old cars.|bakes bread.",
            ),
        ),
        (
            "sights",
            (
                "A path|One bridge|The ferry|Our bus|A tunnel",
                "leads|goes|takes us",
                "to the woods.|past five farms.|up to the chapel.|over the pond.|into old Bath.",
            ),
        ),
    ),
}


def _written(language: str) -> list[Sentence]:
    """The sentences of sentences_<language>.txt: one per line, under a heading with the topic."""
    found: list[Sentence] = []
    topic = ""
    for line in (
        (Path(__file__).parent / f"sentences_{language}.txt").read_text("utf-8").split("\n")
    ):
        if line.startswith("#"):
            topic = line.lstrip("# ")
        elif line:
            found.append(Sentence(line, topic))
    return found


def _filled(patterns: tuple[tuple[str, tuple[str, ...]], ...], joint: str) -> list[Sentence]:
    return [
        Sentence(joint.join(choice), topic)
        for topic, slots in patterns
        for choice in product(*(slot.split("|") for slot in slots))
    ]


def sentences(language: str) -> list[Sentence]:
    """The sentences of train, val and test (zh or en), each once, the written-out ones first."""
    patterns = _PATTERNS_ZH if language == "zh" else _PATTERNS_EN
    every = _written(language) + _filled(patterns, _JOINTS[language])
    return list({sentence.text: sentence for sentence in every}.values())


def sentences_of(language: str, split: str, seed: int) -> list[Sentence]:
    """The sentences of one split in random order; no sentence is in two splits.

    Only `crowd`, for training too, has those of `train`.
    The written-out ones precede the filled patterns, so that a small split is varied.
    """
    if split == "person":
        own = _filled(_PATTERNS_PERSON[language], _JOINTS[language])
        order = np.random.default_rng([seed, 31, 2]).permutation(len(own))
        return [own[int(index)] for index in order]
    split = "train" if split == "crowd" else split
    every = sentences(language)
    count = len(_written(language))
    chosen: list[Sentence] = []
    for number, part in enumerate((every[:count], every[count:])):
        order = np.random.default_rng([seed, 31, number]).permutation(len(part))
        test = round(len(part) * _SHARES["test"])
        val = test + round(len(part) * _SHARES["val"])
        bounds = {"test": (0, test), "val": (test, val), "train": (val, len(part))}
        first, last = bounds[split]
        chosen += [part[int(index)] for index in order[first:last]]
    return chosen
