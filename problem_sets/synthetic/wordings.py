"""Sentence forms, by what they do to the quantity that a story follows.

Each form is a format string. ``[past|third person|first person or plural]`` marks a verb; ``{S}`` is the subject, ``{n}`` a
number, ``{items}`` the things counted, ``{k}`` and ``{m}`` the two numbers of "k groups of m". A form that takes the bare noun
away ("{n} of them") refers to what was said before. Forms whose text falls in :func:`held_out` are never used for training.
"""

import hashlib

OWN_START = (
    "{S} [had|has|have] {n} {items}",
    "{S} [had|has|have] {n} {items} in {poss} collection",
    "{S} [collected|collects|collect] {items} and [had|has|have] {n} of them",
    "{S} [owned|owns|own] {n} {items}",
    "{S} [started|starts|start] with {n} {items}",
    "{S} [kept|keeps|keep] {n} {items} in a {container}",
    "There [were|are|are] {n} {items} in {poss2} {container}",
    "{S} [found|finds|find] {n} {items} at the {place}",
    "{S} [bought|buys|buy] {n} {items} at the {shop}",
    "{S} [made|makes|make] {n} {items}",
    "{S} [picked|picks|pick] {n} {items}",
    "{S} [brought|brings|bring] {n} {items} to the {place}",
    "{S} [got|gets|get] {n} {items} from {poss} {relative}",
    "{time2}, {s} [had|has|have] {n} {items}",
    "{S} [counted|counts|count] {poss} {items} and [got|gets|get] {n}",
    "{S} already [had|has|have] {n} {items}",
)
OWN_START_GROUPS = (
    "{S} [had|has|have] {k} {containers} of {items} with {m} {items} in each {container}",
    "{S} [bought|buys|buy] {k} {containers} of {items}. Each {container} [had|has|has] {m} {items}",
    "{S} [had|has|have] {k} {containers} with {m} {items} each",
    "{S} [filled|fills|fill] {k} {containers} with {m} {items} each",
    "There [were|are|are] {m} {items} in each {container} and {s} [had|has|have] {k} {containers}",
    "{S} [put|puts|put] {m} {items} in each of {k} {containers}",
    "{S} [made|makes|make] {k} rows of {m} {items}",
    "{S} [collected|collects|collect] {m} {items} every day for {k} days",
    "{S} [made|makes|make] {m} {items} an hour and [worked|works|work] for {k} hours",
    "{S} [arranged|arranges|arrange] {poss} {items} in {k} {containers} with {m} in each",
    "Each of {poss2} {k} {containers} [held|holds|holds] {m} {items}",
)
OWN_START_TWO = (
    "{S} [had|has|have] {a} {adj} {items} and {b} {adj2} {items}",
    "{S} [had|has|have] {a} {items} at home and {b} {items} at school",
    "{S} [found|finds|find] {a} {items} {time} and {b} {items} {time3}",
    "{S} [bought|buys|buy] {a} {items} and then {b} more {items}",
    "{S} [had|has|have] {a} {items} in one {container} and {b} in another",
    "{S} [picked|picks|pick] {a} {items} {time} and another {b} {time3}",
    "{S} [got|gets|get] {a} {items} from {poss} {relative} and {b} {items} from {poss} {relative2}",
)
OWN_GAIN = (
    "{S} [found|finds|find] {n} more {items}",
    "{S} [bought|buys|buy] {n} more {items} at the {shop}",
    "{S} [got|gets|get] {n} more",
    "{S} [got|gets|get] {n} {items} from {poss} {relative}",
    "{S} [received|receives|receive] {n} more {items}",
    "{P} {relative} [gave|gives|gives] {obj} {n} {items}",
    "{P} {relative} [gave|gives|gives] {obj} {n} more",
    "{friend} [gave|gives|gives] {obj} {n} more {items}",
    "{friend} [gave|gives|gives] {s} {n} {items}",
    "{S} [collected|collects|collect] another {n} {items}",
    "{S} [picked|picks|pick] up {n} more {items} at the {place}",
    "{S} [won|wins|win] {n} {items} at the fair",
    "{S} [made|makes|make] {n} more {items}",
    "{S} [added|adds|add] {n} more {items} to {poss} collection",
    "{time2}, {s} [found|finds|find] {n} {items}",
    "{time2} {s} [got|gets|get] {n} more {items}",
    "Then {s} [bought|buys|buy] {n} {items}",
    "Later {s} [found|finds|find] another {n}",
    "{S} [was|is|are] given {n} more {items} by {friend}",
    "{S} [borrowed|borrows|borrow] {n} {items} from {friend}",
    "For {poss} birthday {s} [got|gets|get] {n} {items}",
    "{S} [discovered|discovers|discover] {n} {items} in the {place}",
    "{S} [earned|earns|earn] {n} {items} as a prize",
    "{S} then [increased|increases|increase] the number by {n}",
    "{friend} [returned|returns|returns] {n} {items} to {obj}",
    "{S} [took|takes|take] {n} {items} from {friend}",
    "{S} [gained|gains|gain] {n} {items}",
    "{S} [brought|brings|bring] home {n} more {items}",
)
OWN_LOSE = (
    "{S} [lost|loses|lose] {n} {items}",
    "{S} [lost|loses|lose] {n} of them",
    "{S} [gave|gives|give] {n} {items} to {friend}",
    "{S} [gave|gives|give] {n} to {poss} {relative}",
    "{S} [gave|gives|give] {friend} {n} {items}",
    "{S} [gave|gives|give] away {n} {items}",
    "{S} [sold|sells|sell] {n} {items}",
    "{S} [sold|sells|sell] {n} of them to {friend}",
    "{S} [used|uses|use] {n} {items}",
    "{S} [threw|throws|throw] away {n} {items}",
    "{S} [donated|donates|donate] {n} {items} to the {place}",
    "{S} [broke|breaks|break] {n} of the {items}",
    "{S} [dropped|drops|drop] {n} {items} on the way home",
    "{friend} [took|takes|takes] {n} of the {items}",
    "{friend} [borrowed|borrows|borrows] {n} {items} from {obj}",
    "{P} {relative} [took|takes|takes] {n} {items}",
    "{n} of the {items} [broke|break|break]",
    "{n} {items} [were|are|are] stolen",
    "{S} [traded|trades|trade] away {n} {items}",
    "{S} [sent|sends|send] {n} {items} to {poss} {relative}",
    "{S} [left|leaves|leave] {n} {items} at the {place}",
    "{time2}, {s} [lost|loses|lose] {n} {items}",
    "{time2} {s} [gave|gives|give] {n} {items} to {friend}",
    "Then {s} [gave|gives|give] away {n} {items}",
    "Later {s} [lost|loses|lose] {n}",
    "{S} [returned|returns|return] {n} {items} to the {shop}",
    "{S} [put|puts|put] {n} {items} away for {friend}",
    "{S} [shared|shares|share] {n} {items} with {friend}",
    "After that {n} {items} [went|go|go] missing",
    "{S} [removed|removes|remove] {n} of the {items}",
    "{S} [spent|spends|spend] {n} {items}",
)
EAT = (
    "{S} [ate|eats|eat] {n} {items}",
    "{S} [ate|eats|eat] {n} of them",
    "{friend} [ate|eats|eats] {n} of the {items}",
    "{S} and {friend} [ate|eat|eat] {n} {items}",
    "{n} of the {items} [went|go|go] bad",
    "{n} {items} [were|are|are] rotten and [were|are|are] thrown away",
    "{P} {relative} [ate|eats|eats] {n} {items}",
    "{S} [cooked|cooks|cook] {n} of the {items}",
    "{time2}, {s} [ate|eats|eat] {n} {items}",
)
OWN_GAIN_GROUPS = (
    "{S} [bought|buys|buy] {k} {containers} of {items} with {m} {items} in each {container}",
    "{S} [bought|buys|buy] {k} {containers} with {m} {items} each",
    "{S} [got|gets|get] {k} more {containers} of {m} {items}",
    "{k} friends each [gave|give|give] {obj} {m} {items}",
    "{S} [found|finds|find] {k} {containers} with {m} {items} in each",
    "{S} [collected|collects|collect] {m} more {items} every day for {k} days",
    "{S} [got|gets|get] {m} {items} from each of {poss} {k} friends",
    "{P} {relative} [gave|gives|gives] {obj} {k} {containers} of {m} {items} each",
    "{S} [made|makes|make] {m} more {items} each day for {k} days",
)
OWN_LOSE_GROUPS = (
    "{S} [gave|gives|give] {m} {items} to each of {poss} {k} friends",
    "{S} [gave|gives|give] {k} friends {m} {items} each",
    "{S} [sold|sells|sell] {k} {containers} with {m} {items} in each",
    "{S} [used|uses|use] {m} {items} a day for {k} days",
    "{S} [filled|fills|fill] {k} {containers} with {m} {items} each and [gave|gives|give] them away",
    "{k} friends each [took|take|take] {m} of the {items}",
    "{S} [lost|loses|lose] {m} {items} on each of {k} days",
    "{S} [handed|hands|hand] out {m} {items} to each of {k} classmates",
)
OWN_TIMES = (
    "Then {s} [doubled|doubles|double] the number of {poss} {items}:2",
    "{S} [doubled|doubles|double] {poss} {items}:2",
    "Then {s} [tripled|triples|triple] {poss} {items}:3",
    "{time2} the number of {items} [doubled|doubles|doubles]:2",
    "After a month {s} [had|has|have] {times} as many {items}:0",
    "Soon {s} [had|has|have] {times} as many as before:0",
    "{S} [worked|works|work] hard and [had|has|have] {times} as many {items} as before:0",
    "Then the number of {items} [grew|grows|grows] to {times} as many:0",
)
OWN_HALVE = (
    "{S} [gave|gives|give] half of {poss} {items} to {friend}",
    "{S} [lost|loses|lose] half of the {items}",
    "{S} [sold|sells|sell] half of them",
    "{S} [gave|gives|give] away half of the {items}",
    "Half of the {items} [were|are|are] lost",
    "{S} [used|uses|use] half of {poss} {items}",
    "{friend} [took|takes|takes] half of the {items}",
    "Then {s} [gave|gives|give] half of what was left to {poss} {relative}",
)
OWN_SPLIT = (
    "{S} [shared|shares|share] the {items} equally among {k} people, keeping one share",
    "{S} [split|splits|split] the {items} into {k} equal groups and [kept|keeps|keep] one group",
    "{S} [divided|divides|divide] the {items} equally into {k} {containers} and [kept|keeps|keep] only one {container}",
)
OWN_FRACTION = (
    "{S} [gave|gives|give] a {fraction} of the {items} to {friend}",
    "{S} [sold|sells|sell] a {fraction} of them",
    "One {fraction} of the {items} [were|are|are] lost",
    "{S} [used|uses|use] a {fraction} of {poss} {items}",
)
OWN_ASK = (
    "How many {items} {do} {s} have now",
    "How many {items} {do} {s} have left",
    "How many {items} {do} {s} have in the end",
    "How many {items} {do} {s} have in total",
    "How many {items} {do} {s} have altogether",
    "How many {items} {do} {s} have",
    "How many {items} are left",
    "How many are left",
    "How many {items} are there now",
    "What is the number of {items} that {s} [had|has|have] now",
    "How many {items} [did|does|do] {s} end up with",
    "Now how many {items} {do} {s} have",
    "Find the number of {items} {s} [had|has|have] at the end",
    "How many {items} remain",
    "How many of the {items} {do} {s} still have",
)
PLACE_START = (
    "There [were|are|are] {n} {items} {where}",
    "{n} {items} [were|are|are] {where}",
    "{W} there [were|are|are] {n} {items}",
    "At first there [were|are|are] {n} {items} {where}",
    "There [was|is|is] a group of {n} {items} {where}",
    "{time2}, {n} {items} [were|are|are] {where}",
)
PLACE_START_GROUPS = (
    "There [were|are|are] {k} groups of {m} {items} {where}",
    "There [were|are|are] {k} rows of {m} {items} {where}",
    "{W} there [were|are|are] {k} groups with {m} {items} in each group",
)
PLACE_GAIN = (
    "{n} more {items} [came|come|come]",
    "{n} more {items} [arrived|arrive|arrive]",
    "Then {n} more {items} [joined|join|join] them",
    "{n} {items} [joined|join|join] them",
    "{n} more [showed|show|show] up",
    "Another {n} {items} [came|come|come] {time}",
    "{time2}, {n} {items} [arrived|arrive|arrive]",
    "Then {n} {items} [came|come|come] back",
    "A group of {n} {items} [joined|joins|joins] in",
    "{n} more {items} [were|are|are] added",
    "{n} other {items} [came|come|come] along",
)
PLACE_LOSE = (
    "{n} {items} [left|leave|leave]",
    "{n} of them [left|leave|leave]",
    "{n} [went|go|go] away",
    "{n} of the {items} [went|go|go] home",
    "Then {n} {items} [went|go|go] away",
    "{time2}, {n} {items} [left|leave|leave]",
    "Later {n} of them [moved|move|move] to another place",
    "{n} {items} [disappeared|disappear|disappear]",
    "After a while {n} [left|leave|leave]",
    "{n} [had|have|have] to leave",
    "{n} of the {items} [were|are|are] taken away",
)
FLY_LOSE = (
    "{n} {fly}",
    "{n} of them {fly}",
    "Then {n} of the {items} {fly}",
    "{time2} {n} {items} {fly}",
    "{n} {items} {fly}",
)
PLACE_GAIN_GROUPS = (
    "{k} groups of {m} {items} [arrived|arrive|arrive]",
    "{m} more {items} [came|come|come] every hour for {k} hours",
    "Then {k} groups with {m} {items} each [came|come|come]",
)
PLACE_LOSE_GROUPS = (
    "{k} groups of {m} {items} [left|leave|leave]",
    "{m} {items} [left|leave|leave] every hour for {k} hours",
)
PLACE_TIMES = (
    "Then the number of {items} [doubled|doubles|doubles]:2",
    "An hour later there [were|are|are] {times} as many {items}:0",
    "By evening there [were|are|are] {times} as many {items}:0",
)
PLACE_HALVE = (
    "Half of the {items} [left|leave|leave]",
    "Then half of them [went|go|go] away",
    "{time2} half of the {items} [were|are|are] gone",
)
PLACE_ASK = (
    "How many {items} are there now",
    "How many {items} are left",
    "How many are left",
    "How many {items} are {where} now",
    "How many {items} are still there",
    "How many {items} are there in the end",
    "How many {items} are there altogether",
    "How many {items} remain",
    "How many {items} are now {where}",
)
MONEY_START = (
    "{S} [had|has|have] ${n}",
    "{S} [had|has|have] {n} dollars",
    "{S} [started|starts|start] with ${n}",
    "There [were|are|are] {n} dollars in {poss2} wallet",
    "{S} [saved|saves|save] ${n}",
    "{S} [had|has|have] ${n} in {poss} piggy bank",
    "{S} [got|gets|get] ${n} for {poss} birthday",
)
MONEY_START_GROUPS = (
    "{S} [earned|earns|earn] ${m} a day for {k} days",
    "{S} [worked|works|work] {k} hours for ${m} an hour",
    "{S} [saved|saves|save] ${m} every week for {k} weeks",
    "{S} [sold|sells|sell] {k} {items} for ${m} each",
    "{S} [mowed|mows|mow] {k} lawns and [got|gets|get] ${m} for each",
)
MONEY_GAIN = (
    "{S} [earned|earns|earn] ${n} more",
    "{P} {relative} [gave|gives|gives] {obj} ${n}",
    "{S} [found|finds|find] ${n} in the {place}",
    "{S} [made|makes|make] ${n} by helping {friend}",
    "{S} [got|gets|get] {n} dollars from {friend}",
    "{time2}, {s} [earned|earns|earn] ${n}",
    "{S} [won|wins|win] ${n}",
    "{S} [saved|saves|save] another ${n}",
    "{S} [was|is|are] paid {n} dollars for {poss} work",
    "{S} [sold|sells|sell] a {item} for ${n}",
)
MONEY_LOSE = (
    "{S} [spent|spends|spend] ${n} on a {item}",
    "{S} [bought|buys|buy] a {item} for ${n}",
    "{S} [spent|spends|spend] {n} dollars at the {shop}",
    "{S} [paid|pays|pay] ${n} for lunch",
    "{S} [gave|gives|give] ${n} to {friend}",
    "{S} [lost|loses|lose] ${n}",
    "{S} [lent|lends|lend] {friend} {n} dollars",
    "{time2}, {s} [spent|spends|spend] ${n}",
    "{S} [bought|buys|buy] a {item} that [cost|costs|costs] {n} dollars",
    "{S} [donated|donates|donate] ${n}",
    "A {item} [cost|costs|costs] ${n} and {s} [bought|buys|buy] it",
)
MONEY_GAIN_GROUPS = (
    "{S} [worked|works|work] {k} hours for ${m} an hour",
    "{S} [sold|sells|sell] {k} {items} for ${m} each",
    "{S} [earned|earns|earn] ${m} a day for {k} days",
    "{S} [washed|washes|wash] {k} cars for {m} dollars each",
)
MONEY_LOSE_GROUPS = (
    "{S} [bought|buys|buy] {k} {items} for ${m} each",
    "{S} [bought|buys|buy] {k} {items}. Each {item} [cost|costs|costs] ${m}",
    "{S} [bought|buys|buy] {k} {items} that [cost|cost|cost] {m} dollars each",
    "{S} [spent|spends|spend] ${m} a day for {k} days",
    "{S} [gave|gives|give] ${m} to each of {k} friends",
)
MONEY_TIMES = (
    "Then {s} [doubled|doubles|double] {poss} money:2",
    "After a month {s} [had|has|have] {times} as much money:0",
)
MONEY_HALVE = (
    "{S} [spent|spends|spend] half of {poss} money",
    "{S} [gave|gives|give] half of the money to {poss} {relative}",
    "{S} [spent|spends|spend] half of what was left on a {item}",
)
MONEY_ASK = (
    "How much money {do} {s} have now",
    "How much money {do} {s} have left",
    "How much money is left",
    "How many dollars {do} {s} have now",
    "How many dollars {do} {s} have left",
    "How much {do} {s} have in the end",
    "How much money {do} {s} have",
)
COMPARE_TIMES = (
    "{friend} [had|has|has] {times} as many {items} as {s}",
    "{friend} [had|has|has] {times} as many as {s}",
    "{friend} [had|has|has] {times} the number of {items} that {s} [had|has|have]",
    "{friend} [collected|collects|collects] {times} as many {items} as {s}",
)
COMPARE_MORE = (
    "{friend} [had|has|has] {n} more {items} than {s}",
    "{friend} [had|has|has] {n} more than {s}",
    "{friend} [got|gets|gets] {n} more {items} than {s}",
    "{S} [had|has|have] {n} fewer {items} than {friend}",
    "{S} [had|has|have] {n} less than {friend}",
)
COMPARE_FEWER = (
    "{friend} [had|has|has] {n} fewer {items} than {s}",
    "{friend} [had|has|has] {n} less than {s}",
    "{friend} [got|gets|gets] {n} fewer {items} than {s}",
    "{S} [had|has|have] {n} more {items} than {friend}",
)
COMPARE_HALF = (
    "{friend} [had|has|has] half as many {items} as {s}",
    "{friend} [had|has|has] half as many as {s}",
    "{friend} [got|gets|gets] half the number of {items} that {s} [had|has|have]",
)
COMPARE_ASK = (
    "How many {items} [did|does|does] {friend} have",
    "How many {items} are {friend}'s",
    "What is the number of {items} that {friend} [had|has|has]",
)
TOGETHER_ASK = (
    "How many {items} {do} {s} and {friend} have together",
    "How many {items} do they have together",
    "How many {items} do they have in total",
    "How many {items} do they have altogether",
    "How many {items} do the two of them have in all",
    "What is the total number of {items}",
)
DIFFERENCE_ASK = (
    "How many more {items} [did|does|do] {more} have than {less}",
    "How many fewer {items} [did|does|do] {less} have than {more}",
    "What is the difference between their numbers of {items}",
)
PACK_ASK = (
    "{S} [put|puts|put] them equally into {k} {containers}. How many {items} are in each {container}",
    "If {s} [split|splits|split] them equally among {k} friends, how many {items} does each friend get",
    "{S} [shared|shares|share] them equally with {k} people in all. How many {items} does each person get",
    "If the {items} are put into {k} {containers} equally, how many are in each {container}",
    "{S} [divided|divides|divide] them into {k} equal groups. How many {items} are in each group",
    "{S} [placed|places|place] them in {k} equal rows. How many {items} are in each row",
)
FILL_ASK = (
    "{S} [put|puts|put] them into {containers} of {k}. How many {containers} {do} {s} need",
    "Each {container} holds {k} {items}. How many {containers} {do} {s} need",
    "If {s} [packed|packs|pack] {k} {items} in each {container}, how many {containers} can {s} fill",
    "{S} [arranged|arranges|arrange] them in rows of {k}. How many rows are there",
    "{S} [gave|gives|give] {k} {items} to each friend. How many friends get {items}",
)
SELL_ASK = (
    "{S} [sold|sells|sell] all of them for ${k} each. How much money {do} {s} make",
    "Each {item} costs ${k}. How much are the {items} worth",
    "If each {item} weighs {k} grams, how many grams do they weigh in all",
    "{S} [sold|sells|sell] each {item} for {k} dollars. How many dollars {do} {s} get",
)
GOAL_ASK = (
    "{S} [wanted|wants|want] to have {goal} {items}. How many more {items} {do} {s} need",
    "How many more {items} {do} {s} need to have {goal}",
    "If {s} [needed|needs|need] {goal} {items}, how many more must {s} get",
)
MONEY_GOAL_ASK = (
    "{S} [wanted|wants|want] to buy a {item} that costs ${goal}. How much more money {do} {s} need",
    "How many more dollars {do} {s} need to buy a {item} for ${goal}",
)
CHANGE_UP_ASK = (
    "How many more {items} {do} {s} have now than at the start",
    "By how many did the number of {items} grow",
)
CHANGE_DOWN_ASK = (
    "How many fewer {items} {do} {s} have now than at the start",
    "How many {items} [did|does|do] {s} lose in all since the start",
)
DISTRACTORS = (
    "{S} also [had|has|have] {n} {others}",
    "{friend} [had|has|has] {n} {others}",
    "{friend} [was|is|is] {n} years old",
    "{S} [was|is|are] {n} years old",
    "The {place} [was|is|is] {n} miles away",
    "It [took|takes|takes] {n} minutes to walk there",
    "{S} [saw|sees|see] {n} {others} on the way",
    "{P} {relative} [bought|buys|buys] {n} {others}",
    "There [were|are|are] {n} {others} at the {place}",
    "The {shop} [opened|opens|opens] at {n} o'clock",
    "{S} [had|has|have] {n} {others} too",
    "{friend} [lost|loses|loses] {n} {others}",
    "{S} [bought|buys|buy] {n} {others} for {friend}",
    "{S} [ran|runs|run] {n} miles {time}",
    "{P} class [had|has|has] {n} students",
    "{friend} [read|reads|reads] {n} pages {time}",
)


def held_out(form: str) -> bool:
    """Whether a wording is kept out of training (about one in ten, by the hash of its text)."""
    return hashlib.blake2b(form.encode(), digest_size=2).digest()[0] % 10 == 0
