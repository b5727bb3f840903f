"""FDA's Orange Book."""

import zipfile

import pytest

from medr_jax.retrieval.sources import orange_book

PRODUCTS = """\
Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~\
Approval_Date~RLD~RS~Type~Applicant_Full_Name
ZEBRAZOLE;STRIPOL~TABLET;ORAL~ZEBREX~EX~5MG~N~020001~001~AB~Jan 2, 1997~Yes~Yes~RX~EXAMPLE INC
ZEBRAZOLE~TABLET;ORAL~ZEBRAZOLE~GEN~5MG~A~070001~001~~Approved Prior to Jan 1, 1982~No~No~RX~G LTD
short~row
"""
PATENTS = """\
Appl_Type~Appl_No~Product_No~Patent_No~Patent_Expire_Date_Text~Drug_Substance_Flag~\
Drug_Product_Flag~Patent_Use_Code~Delist_Flag~Submission_Date
N~020001~001~7000001~Aug 24, 2026~Y~~U-141~~
N~029999~002~7000002~Feb 1, 2027~~Y~~Y~
"""
EXCLUSIVITY = """\
Appl_Type~Appl_No~Product_No~Exclusivity_Code~Exclusivity_Date
N~020001~001~ODE-1~Jul 13, 2026
"""


def test_the_three_files_meet_in_one_document_a_product(read, write, tmp_path):
    for name, text in (("products", PRODUCTS), ("patent", PATENTS), ("exclusivity", EXCLUSIVITY)):
        write(f"{name}.txt", text)
    documents, skipped = read(orange_book.read, tmp_path)
    assert list(documents) == ["ANDA070001:001", "NDA020001:001", "NDA029999:002"]
    found = documents["NDA020001:001"]
    assert (found.title, found.synonyms) == ("ZEBREX", ("ZEBRAZOLE, STRIPOL",))
    assert "Patents: 7000001 expires 2026-08-24, drug substance, use U-141." in found.segments
    assert "Exclusivity: ODE-1 until 2026-07-13." in found.segments
    assert found.identifiers == ("NDA020001:001", "NDA020001")
    assert (found.date, documents["ANDA070001:001"].date) == ("1997-01-02", "")
    # A patent without a product row is still a document.
    assert documents["NDA029999:002"].title == "NDA029999 product 002"
    assert [(r.where, r.reason) for r in skipped.named] == [("products.txt:4", "2 cells, not 14")]


def test_the_zip_is_read_as_the_folder(read, write, tmp_path):
    files = [write("patent.txt", PATENTS), write("products.txt", PRODUCTS), write("a.txt", "note")]
    with zipfile.ZipFile(tmp_path / "book.zip", "w") as archive:
        for file in files:
            archive.write(file, file.name)
    zipped, _ = read(orange_book.read, tmp_path / "book.zip")
    (tmp_path / "book.zip").unlink()
    assert list(zipped.values()) == list(read(orange_book.read, tmp_path)[0].values())
    with pytest.raises(ValueError, match="no products.txt"):
        read(orange_book.read, files[-1])


def test_a_file_of_other_columns_is_named(read, write):
    documents, skipped = read(orange_book.read, write("patent.txt", "a~b\n1~2\n"))
    assert documents == {}
    assert skipped.named[0].where == "patent.txt:1"


def test_the_real_files(read, shared_data):
    documents, skipped = read(orange_book.read, shared_data / "formats" / "orange_book_patent.txt")
    assert len(documents) > 50
    assert skipped.count <= 1  # the sample's last line may be cut
    found = documents["NDA020610:001"]
    assert "7625884 expires 2026-08-24, use U-141" in found.segments[0]
    name = "orange_book_exclusivity.txt"
    documents, skipped = read(orange_book.read, shared_data / "formats" / name)
    assert "Exclusivity: RTO until 2026-07-13." in documents["NDA017031:001"].segments
    assert skipped.count <= 1
