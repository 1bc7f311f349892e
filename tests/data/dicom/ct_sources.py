# SPDX-License-Identifier: Apache-2.0
"""Ten small CT files with a made-up patient, and a look at all text of a DICOM object."""

import numpy as np
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY, SERIES = "1.2.826.1.1", "1.2.826.1.1.7"
UIDS = [f"{SERIES}.{n}" for n in range(10)]
PATIENT = {
    "PatientName": "Doe^Jane",
    "PatientID": "HOSP-4711",
    "PatientBirthDate": "19610203",
    "PatientSex": "F",
}
STUDY_IDENTITY = {
    "StudyDate": "20240506",
    "StudyTime": "071819",
    "StudyID": "STID99",
    "AccessionNumber": "ACC0815",
}
OTHER = {
    "ReferringPhysicianName": "Who^Doctor",
    "InstitutionName": "Saint Elsewhere",
    "StationName": "GANTRY5",
    "PatientAddress": "1 Elm Street",
    "OtherPatientIDs": "OLD-12",
    "PatientComments": "mother of Jim",
    "Manufacturer": "ACME",
}
# names in full and in parts, so that a part that leaks is found too
SECRETS = [
    *("Doe", "Jane", "Who", "Doctor"),
    *(PATIENT[name] for name in ("PatientID", "PatientBirthDate")),
    *STUDY_IDENTITY.values(),
    *(value for value in OTHER.values() if "^" not in value),
    "secret",
]


def write_ct(folder, **changes):
    """Write 10 slices of 16 x 16; ``changes`` replace header elements (None removes one)."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for n, uid in enumerate(UIDS):
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        values = PATIENT | STUDY_IDENTITY | OTHER
        values |= {"SOPClassUID": CTImageStorage, "SOPInstanceUID": uid}
        values |= {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "Modality": "CT"}
        values |= {"Rows": 16, "Columns": 16, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
        values |= {"SamplesPerPixel": 1, "PixelRepresentation": 1, "PhotometricInterpretation": "MONOCHROME2"}
        for name, value in (values | changes).items():
            if value is not None:
                setattr(header, name, value)
        header.PixelData = np.full((16, 16), n, np.int16).tobytes()
        files.append(folder / f"secret{n}.dcm")
        header.save_as(files[-1], enforce_file_format=True)
    return files


def all_text(path):
    """Every element of a file as text, and its bytes as Latin-1, for the search of what must not be there."""
    dataset = dcmread(path)
    values = [str(element.value) for part in (dataset.file_meta, dataset) for element in part.iterall()]
    return "\n".join([*values, path.read_bytes().decode("latin-1")])


def missing_attributes(path, without=()):
    """Root attributes missing of type 1 (with a value) and 2 of mandatory modules (highdicom's tables)."""
    dataset = dcmread(path)
    modules = get_iod_module_map()[get_sop_class_iod_map()[dataset.SOPClassUID]]
    keys = {module["key"] for module in modules if module["usage"] == "M"} - set(without)
    rows = [row for key in keys for row in get_module_attribute_map()[key] if row["path"] == []]
    assert len(rows) > 50
    there = {name for name in dataset.dir() if name in dataset}
    filled = {name for name in there if dataset[name].value not in (None, "", [])}
    named = {kind: {row["keyword"] for row in rows if row["type"] == kind} for kind in ("1", "2")}
    return sorted((named["1"] - filled) | (named["2"] - there))
