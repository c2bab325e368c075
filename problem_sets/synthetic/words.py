"""The words that stories are told with.

Words of a story are drawn from these lists or, now and then, invented (:func:`invented_word`), so that a model learns to look at
what happens to the numbers and not at the nouns, and has met words that it does not know.
"""

import numpy as np

NAMES = tuple(
    """Aaron Abby Adam Ahmed Aisha Alan Alex Alice Amy Ana Andre Andy Anna Arjun Ava Bella Ben Beth Bill Bob Brian Bruno Cal Carl
    Carla Carlos Chen Chloe Chris Clara Cody Dan Dana Daniel Dave Debby Diego Dora Dylan Edward Elena Eli Ella Emily Emma Eric Erin
    Ethan Eva Faye Felix Fiona Frank Gail Gary George Gina Grace Greg Hana Hannah Haruto Helen Henry Hugo Ian Ines Iris Isaac Ivan
    Jack Jacob Jake James Jane Jason Jenny Jerry Jim Joan Joe John Jose Josh Julia June Kai Kara Karen Kate Keith Ken Kevin Kim Lara
    Laura Lea Lena Leo Liam Lily Linda Lisa Lucas Lucy Luis Luke Mai Marco Maria Mark Marta Mary Matt Max Megan Mei Mia Mike Mina
    Mohamed Nadia Nancy Nate Neil Nell Nick Nina Noah Nora Olga Oliver Olivia Omar Oscar Paige Pam Paul Pedro Peter Phil Priya Rachel
    Raj Ravi Rita Robin Rosa Ruth Ryan Sam Samir Sara Sarah Sean Sofia Steve Sue Tamara Tara Ted Tim Tina Tom Tony Tracy Uma Vera
    Victor Walter Wendy Will Yuki Zane Zoe""".split()
)

THINGS = tuple(
    """marble sticker stamp coin card book pencil pen crayon eraser notebook ribbon button bead shell stone rock balloon toy doll
    kite puzzle poster photo magazine ticket badge key candle bottle cup plate spoon hat sock shirt glove scarf ring bracelet block
    brick ball bat whistle drum flag magnet bolt nail screw hammer basket lamp chair pillow blanket towel mug jar crystal feather
    leaf acorn pinecone seed comic album disc game figurine token medal baseball_card trading_card toy_car paper_clip bottle_cap
    rubber_band video_game water_bottle paper_plane""".split()
)

FOODS = tuple(
    """apple orange banana pear peach plum mango lemon lime grape cherry strawberry blueberry melon kiwi fig carrot potato tomato
    onion pepper cucumber pumpkin radish cookie cupcake muffin donut brownie cake pie candy lollipop chocolate gumdrop pretzel
    cracker sandwich pizza taco bagel roll egg walnut almond peanut chip jellybean pancake waffle dumpling biscuit candy_bar
    granola_bar ice_cream""".split()
)

ANIMALS = tuple(
    """bird duck goose chicken cow sheep goat horse pig rabbit fish frog turtle bee butterfly ant dog cat puppy kitten hamster pigeon
    sparrow crow swan deer monkey penguin seal lizard crab snail parrot squirrel""".split()
)

PEOPLE = tuple(
    "passenger student child player guest visitor dancer worker customer kid boy girl person tourist fan singer".split()
)

PLANTS = tuple("flower rose tulip daisy lily tree bush seed sunflower orchid cactus fern vine oak sapling".split())

VEHICLES = tuple("car truck bike boat bus van scooter train taxi motorcycle".split())

IRREGULAR = {
    "child": "children", "person": "people", "goose": "geese", "sheep": "sheep", "deer": "deer", "fish": "fish", "leaf": "leaves",
    "cherry": "cherries", "strawberry": "strawberries", "blueberry": "blueberries", "candy": "candies", "daisy": "daisies",
    "lily": "lilies", "puppy": "puppies", "butterfly": "butterflies", "potato": "potatoes", "tomato": "tomatoes",
    "radish": "radishes", "peach": "peaches", "sandwich": "sandwiches", "bus": "buses", "cactus": "cacti", "box": "boxes",
    "bush": "bushes", "mango": "mangoes", "shelf": "shelves", "batch": "batches", "bunch": "bunches", "pouch": "pouches",
    "class": "classes", "dish": "dishes", "bench": "benches", "tray": "trays", "story": "stories",
}  # fmt: skip

CONTAINERS = tuple(
    "box bag basket jar crate pack packet tray bucket drawer carton case pouch shelf row bin tin stack pile bundle".split()
)

ADJECTIVES = tuple(
    "red blue green yellow small large old new shiny wooden striped white black purple orange tiny round".split()
)

RELATIVES = tuple(
    "friend brother sister mother father uncle aunt cousin neighbor teacher grandmother grandfather classmate dad mom".split()
)

SHOPS = tuple("store market shop fair mall bakery farm supermarket garage_sale flea_market".split())

PLACES = tuple(
    "park beach school library playground attic garden yard river kitchen garage basement lake street museum zoo gym".split()
)

TIMES = (
    "on Monday", "on Tuesday", "on Friday", "on Sunday", "in the morning", "in the afternoon", "in the evening", "yesterday",
    "last week", "today", "after lunch", "after school", "at noon", "that night", "the next day", "this morning", "over the weekend",
)  # fmt: skip

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty"
).split()


def plural(noun: str) -> str:
    """Plural of a noun of these lists (underscores become spaces)."""
    noun = noun.replace("_", " ")
    head, _, last = noun.rpartition(" ")
    last = IRREGULAR.get(last, last + "s")
    return f"{head} {last}" if head else last


def singular(noun: str) -> str:
    """The noun as it is written in a text."""
    return noun.replace("_", " ")


def invented_word(rng: np.random.Generator) -> str:
    """A pronounceable word of two or three syllables that means nothing."""
    syllables = [
        rng.choice(list("bcdfghjklmnprstvwz")) + rng.choice(list("aeiou")) + rng.choice(["", "", "n", "r", "l", "m", "s"])
        for _ in range(rng.integers(2, 4))
    ]
    return "".join(syllables)
