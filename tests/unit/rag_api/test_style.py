"""Figures are counted by hand; each text is repeated until there is enough of it, which changes no share."""

import time

import pytest

from fakes.api import Api
from twin_contracts.documents import AuthorRef, Raw, RawArticle, RawCode, RawPost, Source, document_id_of
from twin_contracts.style import Habit, HabitName, StyleCard
from twin_rag_api.errors import TooLittleText
from twin_rag_api.style import MAX_EXAMPLE, MIN_WORDS, MOST_TEXT, style_card

ADA = AuthorRef.of("Ada Lovelace")


def card(text: str, times: int = 100, documents: int = 1) -> StyleCard:
    return style_card(ADA, ["\n\n".join([text] * times)] * documents)


def habit(name: HabitName, text: str, times: int = 100, documents: int = 1) -> Habit:
    return next(one for one in card(text, times, documents).habits if one.name is name)


def figures(name: HabitName, text: str, documents: int = 1) -> dict[str, float]:
    return {figure.name: figure.value for figure in habit(name, text, documents=documents).figures}


def test_a_card_says_what_it_was_computed_from() -> None:
    computed = card("One two three four.", times=100, documents=2)

    assert (computed.author, computed.documents, computed.words) == (ADA, 2, 800)


def test_sentence_length_is_median_and_quarters_in_words() -> None:
    text = "One. One two. One two three. One two three. One two three four five six."

    assert figures(HabitName.SENTENCES, text) == {"lower quarter": 2, "median": 3, "upper quarter": 3}


def test_paragraph_length_is_counted_in_sentences() -> None:
    text = "Only one here.\n\nThis has two. See it.\n\nThis has two. As well.\n\nThis has four. Two. Three. Four."

    assert figures(HabitName.PARAGRAPHS, text) == {"lower quarter": 2, "median": 2, "upper quarter": 2}


def test_openers_are_the_first_words_of_sentences() -> None:
    text = "But we go. But we stay. The end is near. A fox runs. A dog sleeps. A cat looks. Nothing else. Not a thing."

    assert figures(HabitName.OPENERS, text) == {"a": 37.5, "but": 25, "the": 12.5}


@pytest.mark.parametrize(
    ("name", "text", "rate"),
    [
        (HabitName.DASHES, "A word — or two – stands - here with 10–20 well-known others.", 300),
        (HabitName.EXCLAMATIONS, "Go there now!! It is all good, they said once again!", 2000 / 11),
        (HabitName.QUESTIONS, "Is it? It is not what they said once again?!", 200),
        (HabitName.SEMICOLONS, "It works; it does so always; now go there ;)", 2000 / 9),
        (HabitName.PARENTHESES, "It works (mostly) as [said](https://a.example) :( or not here.", 125),
        (HabitName.EMOJI, "It works 🔥 and ✅ so we all go on with it.", 200),
        (HabitName.EMOJI, "It works and so we all go on with it.", 0),
    ],
)
def test_marks_are_counted_in_a_thousand_words(name: HabitName, text: str, rate: float) -> None:
    assert figures(name, text) == {"in 1,000 words": pytest.approx(rate, abs=0.06)}


def test_persons_are_counted_with_their_forms() -> None:
    text = "I’m here and my dog is, too. You like it and we don't. It is all that there is to see."

    assert figures(HabitName.PERSON, text) == {"I": 95.2, "we": 47.6, "you": 47.6}


def test_contractions_are_counted_among_the_places_that_allow_one() -> None:
    text = "It's good that you don't know. I am sure that they did not see it. That is the dog's bone."

    assert figures(HabitName.CONTRACTIONS, text) == {"of 100 places": 40}


def test_long_words_have_seven_letters_or_more() -> None:
    assert figures(HabitName.LONG_WORDS, "A measure of letters: planet, planets, and so on.") == {"of 100 words": 33.33}


def test_words_are_favourites_or_avoided_compared_with_other_prose() -> None:
    text = "It is perhaps the case that this works. It is perhaps the case that it does not."

    favourites, avoided = figures(HabitName.FAVOURITES, text, 2), figures(HabitName.AVOIDED, text, 2)

    assert favourites == {"perhaps": pytest.approx(1_000_000 * 2 / 17 / 88, abs=0.01)}
    assert avoided == {"but": 0, "also": 0}
    assert habit(HabitName.AVOIDED, text, documents=2).examples == ()


def test_a_word_of_one_document_alone_is_no_favourite() -> None:
    text = "It is perhaps the case that this works."

    names = {one.name for one in style_card(ADA, ["\n\n".join([text] * 100), "The dog is in the house."]).habits}

    assert HabitName.FAVOURITES not in names


def test_habits_about_english_words_are_left_out_of_another_language() -> None:
    text = "Der Hund läuft schnell durch den Wald. Die Katze schläft noch auf dem Sofa!"

    names = {one.name for one in card(text).habits}

    assert names.isdisjoint({HabitName.PERSON, HabitName.FAVOURITES, HabitName.AVOIDED, HabitName.CONTRACTIONS})
    assert {HabitName.SENTENCES, HabitName.OPENERS, HabitName.EXCLAMATIONS} <= names


def test_examples_stand_in_the_text_and_are_short() -> None:
    text = (
        f"We saw it, and we liked it.\n\nIt is what we\nall like. {'We and the dog ' * 30}. The cat looked at us both."
    )

    for one in card(text).habits:
        assert len(one.examples) <= 2
        assert all(example in text and len(example) <= MAX_EXAMPLE for example in one.examples)
    assert habit(HabitName.PERSON, text).examples == ("We saw it, and we liked it.", "It is what we\nall like.")


def test_the_same_texts_give_the_same_card() -> None:
    text = "One day — it was cold! — we left. Nobody came (or so it seemed); nobody called?"

    assert card(text) == card(text)


def test_too_few_words_are_refused_with_their_number() -> None:
    with pytest.raises(TooLittleText) as refused:
        style_card(ADA, ["One two three. " * 99, "```\n" + "code " * 1000])

    assert (refused.value.words, refused.value.needed) == (297, MIN_WORDS)
    assert str(refused.value).startswith("Ada Lovelace has 297 indexed words of prose, and a style card wants 300: ")


@pytest.mark.parametrize(
    "hostile",
    [
        ".",
        ". ",
        "](",
        "<",
        "`",
        "(",
        "!",
        "=",
        "a",
        "a'",
        "n't",
        '."',
        ".Aa",
        "a\u0301\u0323",
        "do not ",
        "x -",
        "\n- ",
    ],
)
def test_hostile_texts_take_no_longer_than_others(hostile: str) -> None:
    text = "One two three. " * MIN_WORDS + "\n\n" + hostile * (MOST_TEXT // 8 // len(hostile))
    began = time.monotonic()

    style_card(ADA, [text])

    assert time.monotonic() - began < 10  # a tenth; quadratic would be minutes at least


class TestRoute:
    def document(self, kind: str, text: str, name: str = "a", author: AuthorRef = ADA) -> Raw:
        shared = {"id": document_id_of(kind + name), "author": author, "source": Source(platform="test"), "text": text}
        match kind:
            case "post":
                return RawPost.model_validate(shared)
            case "article":
                return RawArticle.model_validate(shared | {"title": "A title"})
            case _:
                return RawCode.model_validate(shared | {"repository": "r", "path": "p"})

    def test_the_card_is_computed_from_posts_and_articles_of_that_author(self, api: Api) -> None:
        for kind in ("post", "article", "code"):
            api.index(self.document(kind, "One two three. " * 60))
        api.index(self.document("post", "One two three. " * 500, "b", AuthorRef.of("Bob")))

        computed = StyleCard.model_validate_json(api.client.get("/v1/authors/ada-lovelace/style").content)

        assert (computed.author, computed.documents, computed.words) == (ADA, 2, 360)

    def test_a_text_that_is_no_longer_in_force_does_not_count(self, api: Api) -> None:
        document = self.document("post", "One two three. " * 200)
        api.index(document)
        api.index(document.model_copy(update={"text": "One two three. " * 150}))

        assert api.client.get("/v1/authors/ada-lovelace/style").json()["words"] == 450

    def test_too_little_text_is_a_conflict_that_says_so(self, api: Api) -> None:
        api.index(self.document("post", "One two three."))

        response = api.client.get("/v1/authors/ada-lovelace/style")

        assert response.status_code == 409
        assert response.json()["detail"].startswith("Ada Lovelace has 3 indexed words of prose")

    def test_nobody_has_no_card(self, api: Api) -> None:
        response = api.client.get("/v1/authors/nobody/style")

        assert (response.status_code, response.json()["detail"]) == (
            404,
            "there is no author 'nobody'; GET /v1/authors lists who there is",
        )
