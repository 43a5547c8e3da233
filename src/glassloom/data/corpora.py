"""The listed corpora, and how a name, a path or `-` becomes a source. A new corpus is one entry in CORPORA."""
from pathlib import Path
from glassloom.data.settings import DataSettings
from glassloom.data.sources import Source, file_source, folder_source, standard_input_source
def find_source(source, settings, cache, progress):
    if source == "-":
        return standard_input_source(settings.encoding)
    path = Path(source)
    return folder_source(path, settings.encoding, settings.shares) if path.is_dir() else file_source(path, settings.encoding)
