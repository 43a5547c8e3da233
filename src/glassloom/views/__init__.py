"""What is inside: one function a question, labelled numbers out.

A view takes a model, a run or what a run wrote, and gives a small frozen dataclass; beside it `<view>_exhibits` turns
that into what a page can show. Nothing here draws, samples or trains.

    gradient_flow    how far back the loss at one step reaches             every architecture
    attention        every head's matrix; heads and head_claims score it   a transformer
    memorised        what of some texts stands in the training text        any text; memorisation: a run's samples
    quality          unknown words, repetition, variety, a 5-gram's view   tokens that were written
    drift            a continuation beside the truth                       any text
"""
