"""What is inside: one function a question, plain labelled numbers out.

A view takes what is looked at (a run, or a model with its tokenizer: `subject`) and a text, and gives a small frozen
dataclass. Those that `glassloom view` lists (`catalogue`) are `View`s: arrays with named axes, as JSON and CSV, and
`exhibits`, the same for a page. Nothing here draws or trains.

    surprise         what each token costs, beside baselines               every architecture
    attended         every head's matrix; heads and head_claims score it   a transformer
    probabilities    what may come next, layer by layer                    every architecture
    flows            gradient_flow of one text, of several models          every architecture
    attribution      what each token owes to earlier ones              every architecture
    choices          what may come at one place, as the decoder sees   every architecture
    debts            what one token owes, in the window that wrote it  every architecture
    memory           how far back a change matters, what context is worth  every architecture
    units            which units track a property (properties)             every architecture
    gates            how open, how many saturated                          a GRU, an LSTM
    copied_text      what of a text stands in the training text            a run
    timelapse        one prompt and seed at every checkpoint               a run
    ablation         what each part is worth; patching and steering        every architecture
    embedding        tokens in the plane                                   every architecture
    training_norms   norms and updates of each layer over training         a run

Others are asked by recipes alone:

    memorised        what of some texts stands in the training text        any text; memorisation: a run's samples
    quality          unknown words, repetition, variety, a 5-gram's view   tokens that were written
    drift            a continuation beside the truth                       any text
"""
