"""The package's own rudimentary deployment, the rung above the tutorial: a compiled function for each request."""


def app():
    from asyncpatterns.chatbot import MODEL_DIR
    from asyncpatterns.serving.rudimentary import compiled_app

    return compiled_app(MODEL_DIR)
