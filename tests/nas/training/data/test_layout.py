from nas.training.data.content import FOREIGN, NO_PICTURE
from nas.training.data.layout import HIDDEN, OUTSIDE, assign, in_order


def places(*names: str) -> set[tuple[str, str]]:
    return {(place.part, place.class_name) for place in assign(names)[0]}


def test_class_folders() -> None:
    assert places("cat/1.jpg", "dog/1.jpg") == {("all", "cat"), ("all", "dog")}


def test_pictures_deeper_down_belong_to_the_class() -> None:
    assert places("cat/x/y/1.jpg", "dog/1.jpg") == {("all", "cat"), ("all", "dog")}


def test_parts_in_any_spelling() -> None:
    found = places("Train/cat/1.jpg", "training/dog/1.jpg", "TEST/cat/1.jpg", "valid/cat/1.jpg")
    assert found == {("train", "cat"), ("train", "dog"), ("test", "cat"), ("validation", "cat")}


def test_folders_around_the_data_are_stepped_over() -> None:
    found = places("signs/v1/train/0/1.jpg", "signs/v1/test/0/1.jpg")
    assert found == {("train", "0"), ("test", "0")}


def test_a_train_folder_alone_is_the_whole_set() -> None:
    assert places("train/cat/1.jpg", "train/dog/1.jpg") == {("all", "cat"), ("all", "dog")}


def test_test_beside_classes_leaves_the_classes_for_training() -> None:
    assert places("cat/1.jpg", "dog/1.jpg", "test/cat/1.jpg") == {("train", "cat"), ("train", "dog"), ("test", "cat")}


def test_a_class_may_be_called_test() -> None:
    assert places("test/1.jpg", "exam/1.jpg") == {("all", "test"), ("all", "exam")}


def test_one_class_is_not_mistaken_for_a_folder_around_the_data() -> None:
    assert places("cat/1.jpg", "cat/2.jpg") == {("all", "cat")}


def test_what_is_left_out_is_named() -> None:
    found, skipped = assign(
        ["train/cat/1.jpg", "train/loose.jpg", "other/dog/1.jpg", "train/cat/readme.txt", "train/cat/1.HEIC",
         "train/cat/.hidden.jpg", "__MACOSX/train/cat/._1.jpg", "test/cat/1.jpg", "top.png"]
    )  # fmt: skip
    assert {place.name for place in found} == {"train/cat/1.jpg", "test/cat/1.jpg"}
    assert skipped == {
        HIDDEN: ["__MACOSX/train/cat/._1.jpg", "train/cat/.hidden.jpg"],
        FOREIGN: ["train/cat/1.HEIC"],
        NO_PICTURE: ["train/cat/readme.txt"],
        OUTSIDE: ["other/dog/1.jpg", "top.png", "train/loose.jpg"],
    }


def test_nothing_at_all() -> None:
    assert assign([]) == ([], {})
    assert assign(["a.jpg"]) == ([], {OUTSIDE: ["a.jpg"]})


def test_numbers_are_ordered_as_numbers() -> None:
    assert in_order({"10", "2", "1"}) == ["1", "2", "10"]
    assert in_order({"10", "2", "b"}) == ["10", "2", "b"]
    assert in_order({"²", "1"}) == ["1", "²"]
