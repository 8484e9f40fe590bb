"""What each data set is, under which terms, where it comes from, and which function reads it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ssrlib import own_data, readers
from ssrlib.downloads import Archive


@dataclass(frozen=True)
class DatasetInfo:
    """What one should know of a data set before using it.

    Attributes
    ----------
    name, title : str
        What it is called here; one line on what it holds.
    terms : str
        Under which it may be used.
    citation, reference : str
        Key in `book/references.bib`, and the same in one line; "" if there is none.
    home : str
        Address of its page, "" if there is none.
    steps : tuple of str
        What a person must do to get it.
    archives : tuple of Archive
        What a program can fetch instead.
    precropped : bool
        The pictures are crops with a margin already; no detector is needed.
    folders : tuple of str
        What its folder is called besides `name`, as published.
    read : callable
        Its reader.
    """

    name: str
    title: str
    terms: str
    citation: str = ""
    reference: str = ""
    home: str = ""
    steps: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    precropped: bool = False
    folders: tuple[str, ...] = ()
    read: Callable = field(default=None, repr=False)


_IMDB_WIKI = {
    "terms": "academic research only",
    "citation": "rothe2018dex",
    "reference": "Rothe, Timofte, Van Gool: Deep Expectation of Real and Apparent Age, IJCV 2018",
    "home": "https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/",
    "precropped": True,
}
_AFAD = {
    "terms": "academic research only",
    "citation": "niu2016orcnn",
    "reference": "Niu et al.: Ordinal Regression with Multiple Output CNN for Age Estimation, CVPR 2016",
    "home": "https://afad-dataset.github.io/",
    "read": readers.afad,
}
_OWN_TERMS = "yours: ask the people in the pictures"

DATASETS = {
    info.name: info
    for info in (
        DatasetInfo("drawn", "Drawn faces, ages 0 to 90, made by this program", "none: nobody is in the pictures"),
        DatasetInfo(
            "megaage_asian",
            "MegaAge-Asian, 40,000 + 3,945 aligned pictures of Asian people, ages 0 to 70",
            "research only",
            "zhang2017megaage",
            "Zhang, Liu, Li, Loy: Quantifying Facial Age by Posterior of Age Comparisons, BMVC 2017",
            "http://mmlab.ie.cuhk.edu.hk/projects/MegaAge/",
            (
                "Fetch megaage_asian.zip through the links on http://mmlab.ie.cuhk.edu.hk/projects/MegaAge/.",
                "Unpack it, so that DIR/megaage_asian holds the folders list, train and test.",
            ),
            precropped=True,
            folders=("MegaAge_Asian",),
            read=readers.megaage_asian,
        ),
        DatasetInfo(
            "imdb",
            "IMDB of IMDB-WIKI, 460,723 cropped pictures of film people, ages 0 to 100",
            **_IMDB_WIKI,
            steps=(
                "Fetch imdb_crop.tar, the faces only (7 GB), from https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/.",
                "Unpack it, so that DIR/imdb_crop holds imdb.mat and the folders 00 to 99.",
            ),
            archives=(
                Archive(
                    "https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/static/imdb_crop.tar",
                    "md5:44b7548f288c14397cb7a7bab35ebe14",
                ),
            ),
            folders=("imdb_crop",),
            read=readers.imdb,
        ),
        DatasetInfo(
            "wiki",
            "WIKI of IMDB-WIKI, 62,328 cropped pictures of people on Wikipedia, ages 0 to 100",
            **_IMDB_WIKI,
            steps=(
                "Fetch wiki_crop.tar, the faces only (1 GB), from https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/.",
                "Unpack it, so that DIR/wiki_crop holds wiki.mat and the folders 00 to 99.",
            ),
            archives=(
                Archive(
                    "https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/static/wiki_crop.tar",
                    "md5:f536eb7f5eae229ae8f286184364b42b",
                ),
            ),
            folders=("wiki_crop",),
            read=readers.wiki,
        ),
        DatasetInfo(
            "morph2",
            "MORPH album 2, 55,134 police photographs, ages 16 to 77",
            "by licence only",
            "ricanek2006morph",
            "Ricanek, Tesafaye: MORPH: A Longitudinal Image Database of Normal Adult Age-Progression, FGR 2006",
            "https://uncw.edu/myuncw/research/innovation-commercialization/technology-portfolio/morph",
            (
                "Ask the University of North Carolina Wilmington for a licence of the MORPH academic set.",
                "Put its pictures, named as in 009055_1M54.JPG, into DIR/morph2, in any sub-folders.",
            ),
            folders=("MORPH", "MORPH-II", "MORPH_Album2"),
            read=readers.morph2,
        ),
        DatasetInfo(
            "utkface",
            "UTKFace aligned and cropped, 23,708 pictures, ages 0 to 116",
            "non-commercial research",
            "zhang2017utkface",
            "Zhang, Song, Qi: Age Progression/Regression by Conditional Adversarial Autoencoder, CVPR 2017",
            "https://susanqq.github.io/UTKFace/",
            (
                "Fetch UTKFace.tar.gz, the aligned and cropped faces, through https://susanqq.github.io/UTKFace/ "
                "(its md5 is ae1a16905fbd795db921ff1d940df9cc).",
                "Unpack it, so that DIR/UTKFace holds the pictures.",
            ),
            read=readers.utkface,
        ),
        DatasetInfo(
            "all_age_faces",
            "All-Age-Faces, 13,322 pictures, mostly Asian, ages 2 to 80",
            "no licence stated",
            "cheng2019allagefaces",
            "Cheng et al.: Exploiting Effective Facial Patches for Robust Gender Recognition, TST 2019",
            "https://github.com/JingchunCheng/All-Age-Faces-Dataset",
            (
                "Fetch the archive through the link on https://github.com/JingchunCheng/All-Age-Faces-Dataset.",
                "Unpack it, so that DIR/all_age_faces holds the folders 'original images' and 'image sets'.",
            ),
            folders=("All-Age-Faces Dataset",),
            read=readers.all_age_faces,
        ),
        DatasetInfo(
            "afad",
            "AFAD, over 160,000 pictures of Asian people, ages 15 and above",
            **_AFAD,
            steps=(
                "Clone https://github.com/afad-dataset/tarball and run the restore.sh in it.",
                "Move the folder AFAD-Full, which holds the ages, into DIR.",
            ),
            folders=("AFAD-Full",),
        ),
        DatasetInfo(
            "afad_lite",
            "AFAD-Lite, a smaller part of AFAD",
            **_AFAD,
            steps=(
                "Clone https://github.com/afad-dataset/tarball-lite and run the restore.sh in it.",
                "Move the folder AFAD-Lite, which holds the ages, into DIR.",
            ),
        ),
        DatasetInfo(
            "fgnet",
            "FG-NET, 1,002 pictures of 82 people, ages 0 to 69",
            "research only",
            "panis2016fgnet",
            "Panis et al.: Overview of Research on Facial Ageing Using the FG-NET Ageing Database, IET Biometrics 2016",
            "https://yanweifu.github.io/FG_NET_data/",
            (
                "Fetch FGNET.zip (46 MB) from https://yanweifu.github.io/FG_NET_data/.",
                "Unpack it, so that DIR/FGNET holds the folder images.",
            ),
            (
                Archive(
                    "https://yanweifu.github.io/FG_NET_data/FGNET.zip",
                    "md5:1206978cac3626321b84c22b24cc8d19",
                ),
            ),
            read=readers.fgnet,
        ),
        DatasetInfo(
            "appa_real",
            "APPA-REAL, 4,113 + 1,500 + 1,978 pictures with real and apparent age",
            "research only",
            "agustsson2017appareal",
            "Agustsson et al.: Apparent and Real Age Estimation in Still Images, FG 2017",
            "https://chalearnlap.cvc.uab.cat/dataset/26/description/",
            (
                "Fetch appa-real-release.zip (885 MB) from https://chalearnlap.cvc.uab.cat/dataset/26/description/.",
                "Unpack it, so that DIR/appa-real-release holds gt_avg_train.csv and the folder train.",
            ),
            (
                Archive(
                    "https://data.chalearnlap.cvc.uab.cat/AppaRealAge/appa-real-release.zip",
                    "md5:2701c6ec291b242e6b4f8a0a56087a43",
                ),
            ),
            folders=("appa-real-release",),
            read=readers.appa_real,
        ),
        DatasetInfo(
            "london",
            "Face Research Lab London Set, 102 studio portraits with 189 hand-placed points, ages 18 to 54",
            "CC BY 4.0",
            "debruine2017london",
            "DeBruine, Jones: Face Research Lab London Set, figshare 2017",
            "https://doi.org/10.6084/m9.figshare.5047666",
            (
                "Fetch neutral_front.zip and london_faces_info.csv from https://doi.org/10.6084/m9.figshare.5047666.",
                "Unpack the first into DIR/london and put the second beside it.",
            ),
            folders=("Face Research Lab London Set",),
            read=readers.london,
        ),
        DatasetInfo(
            "folder",
            "Your own pictures in folders named by age in years, as in 23/me.jpg",
            _OWN_TERMS,
            steps=(
                "Put the pictures into folders named by age in years, as in DIR/23/me.jpg or DIR/23.5/me.jpg.",
                "Name DIR with --root.",
            ),
            read=own_data.folder,
        ),
        DatasetInfo(
            "csv",
            "Your own pictures, listed in a table with the columns picture and age",
            _OWN_TERMS,
            steps=(
                "Write a CSV file with the columns picture (relative to the file) and age.",
                "Name the file, or the folder where it is the only one, with --root.",
            ),
            read=own_data.csv_file,
        ),
    )
}
