"""What the speaker says of each failure, by itself: pure, a table for each language.

For somebody who has never seen a terminal and did not set the speaker up: short, with what to do
where there is something to do. Who did set it up finds the rest in the journal and the doctor.
"""

from __future__ import annotations

from typing import NamedTuple

from speakerd.conversation.effects import Notice

_ENGLISH = "en"

#: The sentences by language (ISO 639-1). NO_REPLY has none: the model chose to say nothing.
_SENTENCES: dict[str, dict[Notice, str]] = {
    _ENGLISH: {
        Notice.NOT_DELIVERED: "I have no connection. Please try again in a moment.",
        Notice.NO_ANSWER: "I got no answer this time. Please ask again.",
        Notice.ANSWER_CUT: "The connection broke off in the middle of the answer. "
        "Please ask again.",
        Notice.RESULT_LOST: "I may have done it already, but the answer was lost. "
        "Please check before you ask again.",
        Notice.KEY_REFUSED: "My key for Gemini is not accepted. "
        "Whoever set me up has to enter a new one.",
        Notice.MODEL_GONE: "The model I talk with is not available. "
        "Whoever set me up has to choose another one.",
        Notice.SETUP_REFUSED: "My settings are not accepted. "
        "Whoever set me up has to correct them.",
        Notice.QUOTA_USED_UP: "My allowance is used up for now. Please try again later.",
        Notice.NO_MICROPHONE: "I cannot hear you. Please check that the microphone is plugged in.",
        Notice.MUTED: "My microphone is switched off. Switch it on to talk to me.",
        Notice.SPEAKER_LOST: "My loudspeaker was gone for a while. Please check its cable.",
        Notice.BUDGET_NEAR: "Today's budget is almost used up. "
        "After that I can only answer again tomorrow.",
        Notice.BUDGET_SPENT: "Today's budget is used up. You can talk to me again tomorrow.",
        Notice.TIMER_MISSED: "I rang for something, and nobody came. Ask me what you have missed.",
    },
    "de": {
        Notice.NOT_DELIVERED: "Ich habe keine Verbindung. Bitte versuch es gleich noch einmal.",
        Notice.NO_ANSWER: "Diesmal kam keine Antwort. Bitte frag noch einmal.",
        Notice.ANSWER_CUT: "Mitten in der Antwort ist die Verbindung abgebrochen. "
        "Bitte frag noch einmal.",
        Notice.RESULT_LOST: "Vielleicht ist es schon erledigt, aber die Antwort ging verloren. "
        "Bitte sieh nach, bevor du noch einmal fragst.",
        Notice.KEY_REFUSED: "Mein Schlüssel für Gemini wird nicht angenommen. "
        "Wer mich eingerichtet hat, muss einen neuen eingeben.",
        Notice.MODEL_GONE: "Das Modell, mit dem ich spreche, gibt es nicht. "
        "Wer mich eingerichtet hat, muss ein anderes wählen.",
        Notice.SETUP_REFUSED: "Meine Einstellungen werden nicht angenommen. "
        "Wer mich eingerichtet hat, muss sie berichtigen.",
        Notice.QUOTA_USED_UP: "Mein Kontingent ist vorerst aufgebraucht. "
        "Bitte versuch es später noch einmal.",
        Notice.NO_MICROPHONE: "Ich höre dich nicht. "
        "Bitte sieh nach, ob das Mikrofon eingesteckt ist.",
        Notice.MUTED: "Mein Mikrofon ist ausgeschaltet. Schalte es ein, um mit mir zu sprechen.",
        Notice.SPEAKER_LOST: "Mein Lautsprecher war eine Zeit lang weg. Bitte prüfe sein Kabel.",
        Notice.BUDGET_NEAR: "Das Budget für heute ist fast verbraucht. "
        "Danach kann ich erst morgen wieder antworten.",
        Notice.BUDGET_SPENT: "Das Budget für heute ist verbraucht. "
        "Morgen kannst du wieder mit mir sprechen.",
        Notice.TIMER_MISSED: "Ich habe geklingelt, und niemand kam. "
        "Frag mich, was du verpasst hast.",
    },
    "fr": {
        Notice.NOT_DELIVERED: "Je n'ai pas de connexion. Réessayez dans un instant.",
        Notice.NO_ANSWER: "Cette fois, je n'ai pas reçu de réponse. Demandez encore une fois.",
        Notice.ANSWER_CUT: "La connexion a été coupée au milieu de la réponse. "
        "Demandez encore une fois.",
        Notice.RESULT_LOST: "C'est peut-être déjà fait, mais la réponse s'est perdue. "
        "Vérifiez avant de redemander.",
        Notice.KEY_REFUSED: "Ma clé pour Gemini n'est pas acceptée. "
        "La personne qui m'a installé doit en saisir une nouvelle.",
        Notice.MODEL_GONE: "Le modèle avec lequel je parle n'est pas disponible. "
        "La personne qui m'a installé doit en choisir un autre.",
        Notice.SETUP_REFUSED: "Mes réglages ne sont pas acceptés. "
        "La personne qui m'a installé doit les corriger.",
        Notice.QUOTA_USED_UP: "Mon quota est épuisé pour le moment. Réessayez plus tard.",
        Notice.NO_MICROPHONE: "Je ne vous entends pas. Vérifiez que le micro est bien branché.",
        Notice.MUTED: "Mon micro est coupé. Activez-le pour me parler.",
        Notice.SPEAKER_LOST: "Mon haut-parleur a disparu un moment. Vérifiez son câble.",
        Notice.BUDGET_NEAR: "Le budget d'aujourd'hui est presque épuisé. "
        "Ensuite, je ne pourrai répondre que demain.",
        Notice.BUDGET_SPENT: "Le budget d'aujourd'hui est épuisé. "
        "Vous pourrez me parler à nouveau demain.",
        Notice.TIMER_MISSED: "J'ai sonné et personne n'est venu. "
        "Demandez-moi ce que vous avez manqué.",
    },
    "es": {
        Notice.NOT_DELIVERED: "No tengo conexión. Inténtalo de nuevo en un momento.",
        Notice.NO_ANSWER: "Esta vez no recibí respuesta. Pregunta otra vez, por favor.",
        Notice.ANSWER_CUT: "La conexión se cortó a mitad de la respuesta. "
        "Pregunta otra vez, por favor.",
        Notice.RESULT_LOST: "Puede que ya esté hecho, pero la respuesta se perdió. "
        "Compruébalo antes de volver a pedirlo.",
        Notice.KEY_REFUSED: "Mi clave de Gemini no es válida. "
        "Quien me instaló tiene que poner una nueva.",
        Notice.MODEL_GONE: "El modelo con el que hablo no está disponible. "
        "Quien me instaló tiene que elegir otro.",
        Notice.SETUP_REFUSED: "Mi configuración no es válida. "
        "Quien me instaló tiene que corregirla.",
        Notice.QUOTA_USED_UP: "He agotado mi cuota por ahora. Inténtalo más tarde.",
        Notice.NO_MICROPHONE: "No te oigo. Comprueba que el micrófono esté conectado.",
        Notice.MUTED: "Mi micrófono está apagado. Actívalo para hablar conmigo.",
        Notice.SPEAKER_LOST: "Mi altavoz estuvo desconectado un rato. Comprueba su cable.",
        Notice.BUDGET_NEAR: "Queda poco del presupuesto de hoy. "
        "Cuando se acabe, no podré contestar hasta mañana.",
        Notice.BUDGET_SPENT: "El presupuesto de hoy se ha agotado. "
        "Mañana podrás hablar conmigo otra vez.",
        Notice.TIMER_MISSED: "Sonó un aviso y no vino nadie. Pregúntame qué te has perdido.",
    },
    "it": {
        Notice.NOT_DELIVERED: "Non ho connessione. Riprova tra un momento.",
        Notice.NO_ANSWER: "Questa volta non ho ricevuto risposta. Prova a chiedere di nuovo.",
        Notice.ANSWER_CUT: "La connessione si è interrotta a metà della risposta. "
        "Prova a chiedere di nuovo.",
        Notice.RESULT_LOST: "Forse è già stato fatto, ma la risposta è andata persa. "
        "Controlla prima di chiedere di nuovo.",
        Notice.KEY_REFUSED: "La mia chiave per Gemini non viene accettata. "
        "Chi mi ha installato deve inserirne una nuova.",
        Notice.MODEL_GONE: "Il modello con cui parlo non è disponibile. "
        "Chi mi ha installato deve sceglierne un altro.",
        Notice.SETUP_REFUSED: "Le mie impostazioni non vengono accettate. "
        "Chi mi ha installato deve correggerle.",
        Notice.QUOTA_USED_UP: "Per ora ho esaurito la mia quota. Riprova più tardi.",
        Notice.NO_MICROPHONE: "Non ti sento. Controlla che il microfono sia collegato.",
        Notice.MUTED: "Il mio microfono è spento. Accendilo per parlarmi.",
        Notice.SPEAKER_LOST: "Il mio altoparlante è rimasto scollegato per un po'. "
        "Controlla il suo cavo.",
        Notice.BUDGET_NEAR: "Il budget di oggi è quasi esaurito. "
        "Poi potrò rispondere solo da domani.",
        Notice.BUDGET_SPENT: "Il budget di oggi è esaurito. Domani potrai parlarmi di nuovo.",
        Notice.TIMER_MISSED: "Ho suonato e non è venuto nessuno. Chiedimi che cosa hai perso.",
    },
    "pt": {  # in words of both sides of the Atlantic
        Notice.NOT_DELIVERED: "Estou sem conexão. Tente outra vez daqui a pouco.",
        Notice.NO_ANSWER: "Desta vez não recebi resposta. Por favor, pergunte outra vez.",
        Notice.ANSWER_CUT: "A conexão caiu no meio da resposta. Por favor, pergunte outra vez.",
        Notice.RESULT_LOST: "Talvez já esteja feito, mas a resposta foi perdida. "
        "Verifique antes de pedir outra vez.",
        Notice.KEY_REFUSED: "A minha chave do Gemini não é válida. "
        "Quem me instalou tem de inserir uma nova.",
        Notice.MODEL_GONE: "O modelo com que falo não está disponível. "
        "Quem me instalou tem de escolher outro.",
        Notice.SETUP_REFUSED: "As minhas configurações não são válidas. "
        "Quem me instalou tem de as corrigir.",
        Notice.QUOTA_USED_UP: "O meu limite de uso foi atingido por agora. "
        "Tente outra vez mais tarde.",
        Notice.NO_MICROPHONE: "Não consigo ouvir. Verifique se o microfone está conectado.",
        Notice.MUTED: "O meu microfone está desligado. Ligue-o para falar comigo.",
        Notice.SPEAKER_LOST: "O meu alto-falante esteve desconectado. Verifique o cabo.",
        Notice.BUDGET_NEAR: "O orçamento de hoje está quase no fim. "
        "Depois só posso responder amanhã.",
        Notice.BUDGET_SPENT: "O orçamento de hoje acabou. Amanhã pode falar comigo outra vez.",
        Notice.TIMER_MISSED: "Toquei e ninguém apareceu. Pergunte-me o que perdeu.",
    },
    "nl": {
        Notice.NOT_DELIVERED: "Ik heb geen verbinding. Probeer het zo nog eens.",
        Notice.NO_ANSWER: "Ik kreeg deze keer geen antwoord. Vraag het alsjeblieft nog eens.",
        Notice.ANSWER_CUT: "De verbinding viel midden in het antwoord weg. "
        "Vraag het alsjeblieft nog eens.",
        Notice.RESULT_LOST: "Misschien is het al gebeurd, maar het antwoord ging verloren. "
        "Kijk het na voordat je het opnieuw vraagt.",
        Notice.KEY_REFUSED: "Mijn sleutel voor Gemini wordt niet geaccepteerd. "
        "Wie mij heeft ingesteld, moet een nieuwe invoeren.",
        Notice.MODEL_GONE: "Het model waarmee ik praat, is niet beschikbaar. "
        "Wie mij heeft ingesteld, moet een ander kiezen.",
        Notice.SETUP_REFUSED: "Mijn instellingen worden niet geaccepteerd. "
        "Wie mij heeft ingesteld, moet ze verbeteren.",
        Notice.QUOTA_USED_UP: "Mijn tegoed is voorlopig op. Probeer het later nog eens.",
        Notice.NO_MICROPHONE: "Ik hoor je niet. Kijk of de microfoon is aangesloten.",
        Notice.MUTED: "Mijn microfoon staat uit. Zet hem aan om met mij te praten.",
        Notice.SPEAKER_LOST: "Mijn luidspreker was een tijdje weg. Controleer de kabel.",
        Notice.BUDGET_NEAR: "Het budget voor vandaag is bijna op. "
        "Daarna kan ik pas morgen weer antwoorden.",
        Notice.BUDGET_SPENT: "Het budget voor vandaag is op. Morgen kun je weer met me praten.",
        Notice.TIMER_MISSED: "Ik heb gebeld en er kwam niemand. Vraag me wat je hebt gemist.",
    },
    "pl": {
        Notice.NOT_DELIVERED: "Nie mam połączenia. Spróbuj ponownie za chwilę.",
        Notice.NO_ANSWER: "Tym razem nie było odpowiedzi. Zapytaj jeszcze raz.",
        Notice.ANSWER_CUT: "Połączenie zostało przerwane w połowie odpowiedzi. "
        "Zapytaj jeszcze raz.",
        Notice.RESULT_LOST: "Być może to już zrobione, ale odpowiedź przepadła. "
        "Sprawdź, zanim zapytasz jeszcze raz.",
        Notice.KEY_REFUSED: "Mój klucz do Gemini nie został przyjęty. "
        "Osoba, która mnie skonfigurowała, musi podać nowy.",
        Notice.MODEL_GONE: "Model, z którym rozmawiam, nie jest dostępny. "
        "Osoba, która mnie skonfigurowała, musi wybrać inny.",
        Notice.SETUP_REFUSED: "Moje ustawienia nie zostały przyjęte. "
        "Osoba, która mnie skonfigurowała, musi je poprawić.",
        Notice.QUOTA_USED_UP: "Mój limit jest na razie wyczerpany. Spróbuj ponownie później.",
        Notice.NO_MICROPHONE: "Nie słyszę cię. Sprawdź, czy mikrofon jest podłączony.",
        Notice.MUTED: "Mój mikrofon jest wyłączony. Włącz go, żeby ze mną rozmawiać.",
        Notice.SPEAKER_LOST: "Mój głośnik był przez chwilę odłączony. Sprawdź jego kabel.",
        Notice.BUDGET_NEAR: "Dzisiejszy budżet jest prawie wyczerpany. "
        "Potem odpowiem dopiero jutro.",
        Notice.BUDGET_SPENT: "Dzisiejszy budżet został wyczerpany. Porozmawiamy znowu jutro.",
        Notice.TIMER_MISSED: "Dzwoniłem i nikt nie przyszedł. Zapytaj mnie, co cię ominęło.",
    },
}

#: The languages that there are sentences in.
LANGUAGES = tuple(_SENTENCES)


class Phrase(NamedTuple):
    """A sentence, and the espeak-ng voice that speaks its language."""

    voice: str
    text: str


def voice_of(language: str) -> str:
    """The espeak-ng voice that speaks ``language``, a BCP-47 code; an English one for none.

    espeak-ng takes such a code as the name of a voice, and finds the nearest for its region (its
    docs/voices.md).
    """
    return language or _ENGLISH


def phrases(language: str) -> dict[Notice, Phrase]:
    """The phrase of every notice that has one, in ``language``, a BCP-47 code or empty.

    English, by an English voice, where the language has no sentences.
    """
    own = language.partition("-")[0].lower()
    voice, sentences = (
        (language, _SENTENCES[own]) if own in _SENTENCES else (_ENGLISH, _SENTENCES[_ENGLISH])
    )
    return {notice: Phrase(voice, text) for notice, text in sentences.items()}
